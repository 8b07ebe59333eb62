package ringokitex

import (
	"context"

	"github.com/cloudwego/kitex/pkg/endpoint"
	"github.com/cloudwego/kitex/pkg/rpcinfo"

	"ringo"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/sock"
)

// Config configures a server's transport. The zero value of each field means its default, and a nil *Config all
// defaults.
type Config struct {
	// Run configures the server's loops. If its Grace is 0, it is a second more than server.WithExitWaitTime;
	// connections are cut off when that time is over.
	Run *ringo.Config
	// Listen configures the listening sockets of servers that get an address. server.WithReusePort also sets
	// AllowShared. For a listener of server.WithListener, which exists already, AllowShared, Control and MultipathTCP
	// have no effect, and the other fields do.
	Listen sock.ListenConfig
	// Tasks runs kitex and the service's methods in the connection's task instead of on a goroutine. They, and all
	// other code of the program that kitex calls, must then wait only through Ringo: see package ringo's one rule, and
	// Goroutine. Connections with streams run on goroutines all the same.
	Tasks bool
}

// Goroutine is middleware for a server with Config.Tasks. It runs the middleware after it, and the methods with these
// names, on an ordinary goroutine, where they may wait for anything; without names it does so for all methods. On a
// goroutine it only calls what follows. A task parks.
//
//	server.WithMiddleware(ringokitex.Goroutine("Query"))
func Goroutine(methods ...string) endpoint.Middleware {
	named := map[string]bool{}
	for _, m := range methods {
		named[m] = true
	}
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req, resp any) error {
			l, _ := loop.Current()
			if l == nil || len(named) > 0 && !named[rpcinfo.GetRPCInfo(ctx).Invocation().MethodName()] {
				return next(ctx, req, resp)
			}
			return l.OffloadIn(lane.Handlers, func(context.Context) error { return next(ctx, req, resp) })
		}
	}
}
