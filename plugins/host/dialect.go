package host

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"ferry/plugins/api"
)

// Dialect is a protocol that plugins speak: how hands are shaken, and what turns
// what lies on the wire into the words of the contract.
type Dialect interface {
	// Handshake returns the cookie and the version of the protocol.
	Handshake() (key, value string, version int)
	// Largest is the most bytes that a message from a plugin may have.
	Largest() int
	// Connect returns the plugin of a kind at the other end.
	Connect(kind string, conn grpc.ClientConnInterface) Peer
}

// Peer is a plugin as its host sees it. What it does not have is Unimplemented,
// a gRPC status.
type Peer interface {
	Describe(context.Context) (api.Description, error)
	Check(context.Context, api.CheckRequest) error
	Stream(context.Context, api.StreamRequest, func(api.Event) error) error
	Execute(context.Context, api.ExecuteRequest, io.Writer) (api.Result, error)
	Deliver(context.Context, api.Deliveries, func(i int, o api.Outcome)) error
}

// Ferry is the dialect of plugins/api.
type Ferry struct{}

// Handshake implements Dialect.
func (Ferry) Handshake() (key, value string, version int) {
	return api.CookieKey, api.CookieValue, api.Version
}

// Largest implements Dialect.
func (Ferry) Largest() int { return api.MaxEvent + 64<<10 }

// Connect implements Dialect.
func (Ferry) Connect(_ string, conn grpc.ClientConnInterface) Peer { return api.Connect(conn) }
