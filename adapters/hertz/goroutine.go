package ringohertz

import (
	"context"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/protocol/consts"

	"ringo"
)

// Goroutine is a middleware that runs the middleware and the handler after it on a goroutine, while the connection's
// task parks. It is for routes that have to wait outside Ringo, with Config.Tasks.
//
//	h.GET("/report", ringohertz.Goroutine, report)
//
// As many run at once as ringo.Config.Offload says; further ones wait. A panic is raised again in the task as a
// *ringo.PanicError, so recovery middleware may be before or after this one. If the task is cancelled while it waits
// for its turn, the answer is 503. On a goroutine it only calls what follows. hertz calls it; a task parks.
func Goroutine(c context.Context, ctx *app.RequestContext) {
	l, _ := ringo.Current()
	if l == nil {
		ctx.Next(c)
		return
	}
	if err := l.Offload(func(context.Context) error { ctx.Next(c); return nil }); err != nil {
		ctx.AbortWithError(consts.StatusServiceUnavailable, err)
	}
}
