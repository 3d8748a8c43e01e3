package gate

import "ferry/internal/chat"

// Admin is what the admins are called among the roles that somebody has.
const Admin = "admin"

// RolesOf returns the names of the roles that somebody has, whatever they allow.
func (r *Rules) RolesOf(who *chat.Person) []string {
	var out []string
	if r.Admins.have(who) {
		out = append(out, Admin)
	}
	for i := range r.Roles {
		if r.Roles[i].have(who) {
			out = append(out, r.Roles[i].Name)
		}
	}
	return out
}
