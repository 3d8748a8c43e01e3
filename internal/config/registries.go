package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var registryHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)

func checkRegistries(r Registries, p *problems) {
	oneOf(p, "registries.lookup", r.Lookup, LookupOff, LookupWarn, LookupRequire)
	for _, from := range slices.Sorted(maps.Keys(r.Mirrors)) {
		key := join("registries.mirrors", from)
		if !registryHost.MatchString(from) && !chartRepository(from) {
			p.at(key, fmt.Sprintf("registries.mirrors: %q is neither the host of a registry nor the address of a chart repository", from),
				"write a host alone, such as ghcr.io or registry.example:5000, or a whole address, such as https://example.com/charts")
			continue
		}
		checkURL(p, key, r.Mirrors[from])
	}
	if r.DockerConfig != "" {
		checkReadable(p, "registries.docker_config", r.DockerConfig, "name a file as docker login writes it, which ferry may read")
	}
}

func chartRepository(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !strings.ContainsAny(address, "@?# ")
}
