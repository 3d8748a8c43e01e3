package executor

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// patience is how long one cluster's silence holds up what others have said.
const patience = 3 * time.Second

// board is where the clusters' words are put together: lines of what changes as they
// come, with the cluster before each where there are several; texts of what reads
// whole, under their headings. It may be used by several goroutines.
type board struct {
	several bool
	limit   int    // the most bytes of each cluster
	stop    func() // called when nobody reads any more

	mu  sync.Mutex
	out io.Writer
	err error
}

func newBoard(out io.Writer, several bool, limit int, stop func()) *board {
	return &board{several: several, limit: limit, stop: stop, out: out}
}

// part is what one cluster says.
type part struct {
	*board
	cluster string
	left    int
	over    chan struct{} // closed at the end
	ended   end
}

func (b *board) part(cluster string) *part {
	return &part{board: b, cluster: cluster, left: b.limit, over: make(chan struct{})}
}

func (b *board) write(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || text == "" {
		return
	}
	if _, b.err = io.WriteString(b.out, text); b.err != nil {
		b.stop()
	}
}

// failed is why nobody reads any more.
func (b *board) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// say writes lines as they come.
func (p *part) say(text string) {
	if p.several {
		text = p.cluster + ": " + strings.ReplaceAll(text, "\n", "\n"+p.cluster+": ")
	}
	if p.left < 0 {
		return
	}
	if p.left -= len(text); p.left < 0 {
		text = "… there is more"
	}
	p.write(text + "\n")
}

// last says why it ended, whatever was said before.
func (p *part) last(text string) {
	p.left = p.limit
	p.say(text)
}

// end says that nothing follows.
func (p *part) end(e end) {
	p.ended = e
	close(p.over)
}

// tell writes texts in the clusters' order. One that is silent while another is done
// is passed over after some patience, and told when it speaks.
func (b *board) tell(ctx context.Context, parts []*part, patience time.Duration) {
	waiting := slices.Clone(parts)
	for len(waiting) > 0 && ctx.Err() == nil {
		p := waiting[0]
		silent := time.NewTimer(patience)
		select {
		case <-p.over:
			b.write(p.whole())
			waiting = waiting[1:]
		case <-ctx.Done():
		case <-silent.C:
			if i := slices.IndexFunc(waiting, (*part).done); i > 0 {
				next := waiting[i]
				waiting = slices.Insert(slices.Delete(waiting, i, i+1), 0, next)
			}
		}
		silent.Stop()
	}
}

func (p *part) done() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// whole is all that a cluster says, under its heading.
func (p *part) whole() string {
	text := p.ended.text
	if len(text) > p.limit {
		cut := text[:p.limit]
		text = fmt.Sprintf("%s… %d KiB more: ask for less, for example with -n or --status-selector ready=false\n", cut[:strings.LastIndexByte(cut, '\n')+1], (len(text)-p.limit)>>10+1)
	}
	if err := p.ended.err; err != nil {
		text += p.cluster + ": " + err.Error() + "\n"
	}
	if p.several {
		text = "== " + p.cluster + " ==\n" + text
	}
	return text
}
