// Package ringoredis has tasks ask redis by github.com/redis/go-redis, each with a connection of its loop's own while
// it asks, by the methods of a redis.Client. The pool is a sockclient.Pool:
//
//	cache := &sockclient.Pool{Dial: ringoredis.Dial(options), Check: ringoredis.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringoredis.Do(r.Context(), cache, func(ctx context.Context, c *redis.Client) (err error) {
//		name, err = c.Get(ctx, "user:"+id).Result()
//		return err
//	})
//
// Goroutines have go-redis' own client, with a sock.Dialer's Func as its Dialer or without. Tasks that ask for little
// but often have a sockclient.Pipeline, which costs a quarter of a connection each. docs/databases.md says what of a
// redis.Client tasks may call, and what the rest does.
package ringoredis
