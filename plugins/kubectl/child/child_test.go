package child

import (
	"io"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func discard() genericiooptions.IOStreams {
	return genericiooptions.IOStreams{In: nothing{}, Out: io.Discard, ErrOut: io.Discard}
}
