package ringoredis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"ringo"
	"ringo/adapters/database/internal/tasked"
	"ringo/sock/sockclient"
)

// Dial returns the Dial function for a sockclient.Pool whose connections are sessions of go-redis, each a client with
// one connection. It copies options and replaces the fields for the pool, the Dialer, retries and maintenance
// notifications. Any goroutine may call Dial; it does not park.
func Dial(options *redis.Options) func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
	own := *options
	own.PoolSize, own.MinIdleConns, own.MaxIdleConns, own.MaxActiveConns, own.PipelinePoolSize = 1, 0, 1, 1, -1
	own.ConnMaxIdleTime, own.ConnMaxLifetime = -1, -1
	own.PoolTimeout = time.Nanosecond // a second caller of the session fails in place of waiting
	own.MaxRetries, own.DialerRetries = -1, 1
	own.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	defaults := redis.NewClient(&own)
	of := defaults.Options()
	own.Network, own.Addr, own.DialTimeout = of.Network, of.Addr, of.DialTimeout
	defaults.Close()
	return func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		options := own
		return dial(ctx, l, &options)
	}
}

// errOnce is the error when a client tries to make a second connection.
var errOnce = errors.New("ringoredis: a session has one connection, which has ended")

func dial(ctx context.Context, l *ringo.Loop, options *redis.Options) (net.Conn, error) {
	if _, err := tasked.Loop("ringoredis: Pool.Dial"); err != nil {
		return nil, err
	}
	// The client calls its Dialer on a goroutine and blocks the loop until it returns, so dial connects beforehand.
	below, err := tasked.Dial(ctx, l, options.Network, options.Addr, max(options.DialTimeout, 0))
	if err != nil {
		return nil, fmt.Errorf("ringoredis: %w", err)
	}
	s := &session{Conn: below}
	options.Dialer = func(context.Context, string, string) (net.Conn, error) {
		if s.dials.Add(1) > 1 {
			return nil, errOnce
		}
		return secured(below, options), nil
	}
	s.client = redis.NewClient(options)
	if err := s.client.Ping(context.WithoutCancel(ctx)).Err(); err != nil { // this also logs in
		return nil, errors.Join(fmt.Errorf("ringoredis: connecting to %s: %w", options.Addr, err), s.client.Close())
	}
	return s, nil
}

// secured returns the connection that the client uses: c, or TLS over it if options has a TLSConfig.
func secured(c *tasked.Conn, options *redis.Options) net.Conn {
	if options.TLSConfig == nil {
		return c
	}
	config := options.TLSConfig.Clone()
	if host, _, err := net.SplitHostPort(options.Addr); config.ServerName == "" && err == nil {
		config.ServerName = host
	}
	return tls.Client(c, config)
}

// Do calls use with a session of p, in the calling task, whose loop the session belongs to. p.Dial must come from this
// package's Dial. All waits in Do end with ctx. The context that use gets has ctx's values but never ends; pass it to
// the calls of c. The session must not be used after use has returned, nor by other tasks meanwhile. It goes back to p
// unless the client has given its connection up. On an ordinary goroutine Do fails; a task parks.
func Do(ctx context.Context, p *sockclient.Pool, use func(ctx context.Context, c *redis.Client) error) error {
	return tasked.Do(ctx, "ringoredis", p, use)
}

// Check is the Check for a Pool with this package's Dial: it pings the server and waits for the answer.
func Check(c net.Conn) error {
	client, err := tasked.Client[*redis.Client]("ringoredis", c)
	if err != nil {
		return err
	}
	return client.Ping(context.Background()).Err()
}

// A session is a connection of a Pool: a go-redis client with one connection.
type session struct {
	*tasked.Conn
	client *redis.Client
	dials  atomic.Int32 // calls of the Dialer
}

// Client returns the client that Do passes to use.
func (s *session) Client() *redis.Client { return s.client }

// NetConn returns the socket, which the Pool watches while the session is at rest.
func (s *session) NetConn() net.Conn { return s.Sock }

// Buffered returns 0 for the bytes that the client has read and no caller has taken: it gives such a connection up
// itself.
func (s *session) Buffered() int { return 0 }

// Reusable reports whether the client still has its one connection. A client that has dialled again would retry for
// ever.
func (s *session) Reusable() bool { return !s.IsClosed() && s.dials.Load() == 1 }

// Close ends the session.
func (s *session) Close() error { return s.Leave(s.client.Close) }
