package github

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

func requestID() string {
	var b [10]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%X:%X:%X", b[:2], b[2:5], b[5:])
}

// page cuts one page out of n items and writes the Link header, if there is more than one page.
func (c *call) page(n int) (from, to int, header http.Header) {
	per, err := strconv.Atoi(c.URL.Query().Get("per_page"))
	if err != nil || per < 1 {
		per = 30
	}
	per = min(per, 100)
	page, err := strconv.Atoi(c.URL.Query().Get("page"))
	if err != nil || page < 1 || page > 1<<30 {
		page = 1
	}
	last := max(1, (n+per-1)/per)
	var links []string
	link := func(rel string, to int) {
		q := c.URL.Query()
		q.Set("page", strconv.Itoa(to))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel=%q`, c.host, c.URL.EscapedPath(), q.Encode(), rel))
	}
	if page > 1 {
		link("prev", min(page-1, last))
	}
	if page < last {
		link("next", page+1)
		link("last", last)
	}
	if page > 1 {
		link("first", 1)
	}
	header = http.Header{}
	if links != nil {
		header.Set("Link", strings.Join(links, ", "))
	}
	from = min((page-1)*per, n)
	return from, min(from+per, n), header
}
