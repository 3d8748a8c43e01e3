package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"ferry/internal/fault"
)

// Row is one thing that `ferry check` tried.
type Row struct {
	What   string
	OK     bool
	Detail string // what was found
	Help   string // what would help, if not OK
}

// Check tries what the options name: the mirrors, and the file with credentials.
// Registries that are not named there are not asked.
func (r *Registry) Check(ctx context.Context) []Row {
	var rows []Row
	if r.keys.file != "" {
		rows = append(rows, r.checkFile())
	}
	for _, host := range slices.Sorted(maps.Keys(r.addresses.hosts)) {
		rows = append(rows, r.checkHost(ctx, host))
	}
	for _, m := range r.addresses.charts {
		row := Row{What: "mirror of " + m.from, OK: true}
		i, err := r.fetch(ctx, m.to.JoinPath("index.yaml"), nil)
		if err != nil {
			row = failed(row.What, err)
		} else {
			row.Detail = fmt.Sprintf("%s lists %d charts", words(m.to), len(i.charts))
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *Registry) checkFile() Row {
	what := "credentials in " + r.keys.file
	file, err := r.keys.read()
	if err != nil {
		return failed(what, err)
	}
	row := Row{What: what, OK: true, Detail: "for " + strings.Join(hosts(file), ", ")}
	switch {
	case len(hosts(file)) == 0 && file.CredentialsStore == "":
		row = Row{What: what, Detail: "there are none in it", Help: "registries.docker_config names a file as `docker login` writes it"}
	case file.CredentialsStore != "":
		row.Detail = "by the helper docker-credential-" + file.CredentialsStore
	}
	return row
}

func (r *Registry) checkHost(ctx context.Context, host string) Row {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	row, to := Row{What: "mirror of " + host, OK: true}, r.addresses.hosts[host]
	var options []name.Option
	if r.addresses.plain[to.Host] {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(to.Host, options...)
	if err == nil {
		var challenge *transport.Challenge
		challenge, err = transport.Ping(ctx, reg, r.transport)
		if err == nil && challenge.Scheme != "" {
			row.Detail = words(to) + " answers, and wants to know who asks"
		}
	}
	if err != nil {
		return failed(row.What, r.explain(ctx, err, to.Host, words(to)))
	}
	if row.Detail == "" {
		row.Detail = words(to) + " answers"
	}
	return row
}

func failed(what string, err error) Row {
	row := Row{What: what, Detail: err.Error()}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		row.Detail, row.Help = e.Says, e.Help
	}
	return row
}
