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

// Dial makes the Dial of a sockclient.Pool whose connections are sessions of go-redis: a client each, with one
// connection. options are copied; what they say of a pool, of a Dialer, retries and notices of maintenance is set. Any
// goroutine may call Dial; it does not park.
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

// errOnce is the error of a client that makes another connection.
var errOnce = errors.New("ringoredis: a session has one connection, which has ended")

func dial(ctx context.Context, l *ringo.Loop, options *redis.Options) (net.Conn, error) {
	if _, err := tasked.Loop("ringoredis: Pool.Dial"); err != nil {
		return nil, err
	}
	// The client asks its Dialer on a goroutine, for which the task waits with the loop: so the dial is done before.
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
	if err := s.client.Ping(context.WithoutCancel(ctx)).Err(); err != nil { // and the login
		return nil, errors.Join(fmt.Errorf("ringoredis: connecting to %s: %w", options.Addr, err), s.client.Close())
	}
	return s, nil
}

// secured is the connection as the client uses it, by TLS if the options say so.
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

// Do has use work with a session of p, whose Dial is this package's, in the calling task of p's loop. All its waits end
// with ctx. The context that use gets, which is for the calls of c, has ctx's values and no end. The session must not
// be used beyond use, nor by others meanwhile. It is given back unless the client has given its connection up. On an
// ordinary goroutine Do fails; a task parks.
func Do(ctx context.Context, p *sockclient.Pool, use func(ctx context.Context, c *redis.Client) error) error {
	return tasked.Do(ctx, "ringoredis", p, use)
}

// Check is for the Check of a Pool with this package's Dial: it asks the server and waits for the answer.
func Check(c net.Conn) error {
	client, err := tasked.Client[*redis.Client]("ringoredis", c)
	if err != nil {
		return err
	}
	return client.Ping(context.Background()).Err()
}

// A session is what a Pool has of go-redis.
type session struct {
	*tasked.Conn
	client *redis.Client
	dials  atomic.Int32 // those that the client has asked for
}

// Client is what Do gives.
func (s *session) Client() *redis.Client { return s.client }

// NetConn gives what is below, for the Pool, which watches it at rest.
func (s *session) NetConn() net.Conn { return s.Sock }

// Buffered is how much the client has read that nobody has asked for: it gives such a connection up.
func (s *session) Buffered() int { return 0 }

// Reusable reports whether the client has kept its connection, and asked for no other: it would try for ever.
func (s *session) Reusable() bool { return !s.IsClosed() && s.dials.Load() == 1 }

// Close ends the session.
func (s *session) Close() error { return s.Leave(s.client.Close) }
