// Package sockclient provides building blocks for clients of a protocol, in tasks and goroutines: a [Pool] of
// connections for each loop, and a [Pipeline], which has many requests under way on one connection. Package ringo/retry
// is for requests that fail or are slow; for HTTP there is package ringo/sock/sockhttp.
//
//	pool := &sockclient.Pool{Max: 16, Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
//		return new(sock.Dialer).DialContext(ctx, l, "tcp", "cache:6379")
//	}}
//	...
//	c, err := pool.Get(ctx, l)
//	if err != nil {
//		return err
//	}
//	defer c.Close() // unless it was given back
//	if err := ask(c); err != nil {
//		return err
//	}
//	c.Release()
package sockclient
