package ringofasthttp

import (
	"context"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/sock"
)

// Dial makes the DialTimeout of a fasthttp.HostClient or fasthttp.Client whose connections are of the loop l, and which
// tasks of l, and ordinary goroutines, can share. The time is all that a connect may take, names included; 0 is none.
// The function parks a task and blocks a goroutine. A client of tasks must have no MaxConnWaitTimeout, which waits in a
// channel and holds the loop. Any goroutine may call Dial; it does not park.
//
//	client := &fasthttp.HostClient{Addr: "api:80", DialTimeout: ringofasthttp.Dial(l)}
func Dial(l *ringo.Loop) fasthttp.DialFuncWithTimeout {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		return (&sock.Dialer{Timeout: timeout}).Func(l)(context.Background(), "tcp", addr)
	}
}
