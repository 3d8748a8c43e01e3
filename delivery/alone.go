package delivery

import (
	"context"

	"ferry/delivery/forge"
)

// keepRelations is how many answers about two commits are kept. They never change.
const keepRelations = 256

// alone waits until nobody else is at work on a key: all targets of a wave ask the
// same of a revision at the same moment, and one answer serves them all. free lets the
// next one go on.
func (d *Delivery) alone(ctx context.Context, key string) (free func(), err error) {
	for {
		d.known.Lock()
		other, busy := d.busy[key]
		if !busy {
			mine := make(chan struct{})
			d.busy[key] = mine
			d.known.Unlock()
			return func() {
				d.known.Lock()
				delete(d.busy, key)
				d.known.Unlock()
				close(mine)
			}, nil
		}
		d.known.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// relation asks how two commits are related, once.
func (d *Delivery) relation(ctx context.Context, base, head string) (forge.Relation, error) {
	key := base + "..." + head
	free, err := d.alone(ctx, key)
	if err != nil {
		return "", err
	}
	defer free()
	d.known.Lock()
	known, ok := d.relations[key]
	d.known.Unlock()
	if ok {
		return known, nil
	}
	r, err := d.repo.Compare(ctx, base, head)
	if err != nil {
		return "", err
	}
	d.known.Lock()
	defer d.known.Unlock()
	if len(d.relations) >= keepRelations {
		d.relations = map[string]forge.Relation{}
	}
	d.relations[key] = r
	return r, nil
}
