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
	// Run configures the server's loops. Its Grace, if it is 0, is a second more than server.WithExitWaitTime, when
	// connections are cut off.
	Run *ringo.Config
	// Listen configures the listening sockets of servers that get an address. server.WithReusePort sets AllowShared,
	// too. A listener of server.WithListener has been made already: Limits and the like count of it.
	Listen sock.ListenConfig
	// Tasks has kitex and the service's methods run in the connection's task in place of a goroutine. They, and what
	// else the program has kitex call, must then wait by Ringo alone: see package ringo's one rule. See Goroutine.
	// Connections with streams are a goroutine's all the same.
	Tasks bool
}

// Goroutine is middleware for a server with Config.Tasks: the middleware after it, and the methods of these names, run
// on an ordinary goroutine, where they may wait for anything; without names all methods do. Calls on a goroutine it
// lets pass. A task parks.
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
