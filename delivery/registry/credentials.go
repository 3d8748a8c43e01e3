package registry

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/credentials"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"ferry/internal/fault"
)

// keychain knows who ferry is to a host.
type keychain struct {
	given map[string]Credential
	file  string
}

func newKeychain(o Options) keychain {
	k := keychain{given: map[string]Credential{}, file: o.DockerConfig}
	for host, c := range o.Credentials {
		k.given[canonical(host)] = c
	}
	return k
}

// find returns the credentials for what is below a path of a host; nobody's
// where there are none.
func (k keychain) find(ctx context.Context, host, path string) (authn.Authenticator, error) {
	if c, ok := k.given[host]; ok {
		secret, err := c.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("get the credentials for %s: %w", host, err)
		}
		return &authn.Basic{Username: c.User, Password: secret}, nil
	}
	if k.file == "" {
		return authn.Anonymous, nil
	}
	file, err := k.read()
	if err != nil {
		return nil, err
	}
	for _, key := range scopes(host, path) {
		found, err := stored(file, key)
		if err != nil {
			return nil, fault.Newf(fault.Unavailable, "the credential helper for %s failed", host).
				WithHelp("%s names it", k.file).Because(err)
		}
		found.ServerAddress = "" // set even if there is nothing
		if found != (types.AuthConfig{}) {
			return authn.FromConfig(authn.AuthConfig{
				Username: found.Username, Password: found.Password,
				IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
			}), nil
		}
	}
	return authn.Anonymous, nil
}

// read reads the file anew, so that credentials which are replaced need no
// restart.
func (k keychain) read() (*configfile.ConfigFile, error) {
	text, err := os.ReadFile(k.file)
	var file *configfile.ConfigFile
	if err == nil {
		file, err = config.LoadFromReader(bytes.NewReader(text))
	}
	if err != nil {
		return nil, fault.Newf(fault.Unavailable, "the credentials in %s cannot be read", k.file).
			WithHelp("registries.docker_config names a file as `docker login` writes it").Because(err)
	}
	return file, nil
}

// stored is what the file has under a key, or what the helper says that it names
// for it. The file's own method looks into the environment as well, and takes
// what stands there for one path of a host for all of them.
func stored(file *configfile.ConfigFile, key string) (types.AuthConfig, error) {
	helper, ok := file.CredentialHelpers[key]
	if !ok {
		helper = file.CredentialsStore
	}
	if helper != "" {
		found, err := credentials.NewNativeStore(file, helper).Get(key)
		if err != nil {
			return found, fmt.Errorf("docker-credential-%s: %w", helper, err)
		}
		return found, nil
	}
	for _, written := range []string{key, "https://" + key, "https://" + key + "/v1/", "https://" + key + "/v2/"} {
		if found, ok := file.AuthConfigs[written]; ok {
			return found, nil
		}
	}
	return types.AuthConfig{}, nil
}

// scopes are the keys under which the credentials for a path of a host may
// stand, the narrowest first.
func scopes(host, path string) []string {
	var out []string
	for at := strings.TrimSuffix(host+"/"+strings.Trim(path, "/"), "/"); at != host; at = at[:strings.LastIndexByte(at, '/')] {
		out = append(out, at)
	}
	out = append(out, host)
	if host == name.DefaultRegistry {
		out = append(out, authn.DefaultAuthKey, "docker.io") // the first is for helpers
	}
	return out
}

// hosts are those that a file has something for.
func hosts(file *configfile.ConfigFile) []string {
	var out []string
	for host := range file.AuthConfigs {
		out = append(out, host)
	}
	for host := range file.CredentialHelpers {
		out = append(out, host)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
