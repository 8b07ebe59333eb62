package ringofasthttp

import (
	"context"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"ringo"
	"ringo/sock"
)

// Dial returns the DialTimeout for a fasthttp.HostClient or fasthttp.Client. Its connections belong to the loop l;
// tasks of l and ordinary goroutines can share them. The timeout bounds a whole connect, including name look-ups; 0
// means no bound. The function parks a task and blocks a goroutine. A client that tasks use must not set
// MaxConnWaitTimeout, which waits in a channel and so holds the loop. Any goroutine may call Dial; it does not park.
//
//	client := &fasthttp.HostClient{Addr: "api:80", DialTimeout: ringofasthttp.Dial(l)}
func Dial(l *ringo.Loop) fasthttp.DialFuncWithTimeout {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		return (&sock.Dialer{Timeout: timeout}).Func(l)(context.Background(), "tcp", addr)
	}
}
