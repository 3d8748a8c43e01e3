package k8s

import (
	"strings"

	"ferry/internal/deploy"
)

// parseImage splits an image reference as container runtimes do: a digest
// follows "@", a tag the last ":" after the last "/"; a ":" before that is a
// registry's port. Joined again by imageRef it gives the same bytes.
func parseImage(container, ref string) deploy.Image {
	i := deploy.Image{Container: container, Repository: ref}
	if at := strings.IndexByte(ref, '@'); at >= 0 {
		i.Repository, i.Digest = ref[:at], ref[at+1:]
	}
	if colon := strings.LastIndexByte(i.Repository, ':'); colon > strings.LastIndexByte(i.Repository, '/') {
		i.Repository, i.Tag = i.Repository[:colon], i.Repository[colon+1:]
	}
	return i
}

// imageRef is the reference that parseImage was given.
func imageRef(i deploy.Image) string {
	ref := i.Repository
	if i.Tag != "" {
		ref += ":" + i.Tag
	}
	if i.Digest != "" {
		ref += "@" + i.Digest
	}
	return ref
}

// imageVersion is the version that people see in an image.
func imageVersion(i deploy.Image) deploy.Version {
	if i.Tag != "" {
		return deploy.Version(i.Tag)
	}
	return deploy.Version(i.Digest)
}

// appVersion is the version of the container called like the app, else of the
// first.
func appVersion(app string, images []deploy.Image) deploy.Version {
	for _, i := range images {
		if i.Container == app {
			return imageVersion(i)
		}
	}
	if len(images) == 0 {
		return ""
	}
	return imageVersion(images[0])
}
