package dispatcher

import (
	"context"

	"ferry/internal/chat"
)

// Known tells who somebody is, in which of the groups of the rules and with which
// roles, for those who decide about more than ferry can: what a plugin is asked to
// do. A group whose members cannot be read gives nothing.
func (p *Policy) Known(ctx context.Context, id chat.UserID) (who chat.Person, roles []string, err error) {
	rules := p.rules.Load()
	who, _, err = p.person(ctx, rules, id)
	if err != nil {
		return chat.Person{}, nil, err
	}
	return who, rules.RolesOf(&who), nil
}
