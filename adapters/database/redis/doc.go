// Package ringoredis lets tasks use redis by github.com/redis/go-redis. A task uses a connection that belongs to its
// loop, by the methods of a redis.Client, and gives it back. The pool is a sockclient.Pool:
//
//	cache := &sockclient.Pool{Dial: ringoredis.Dial(options), Check: ringoredis.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringoredis.Do(r.Context(), cache, func(ctx context.Context, c *redis.Client) (err error) {
//		name, err = c.Get(ctx, "user:"+id).Result()
//		return err
//	})
//
// Goroutines use go-redis's own client as usual, with or without a sock.Dialer's Func as its Dialer. Tasks that send
// small commands often are better served by a sockclient.Pipeline, which costs a quarter of a connection for each
// task. docs/databases.md lists the methods of a redis.Client that tasks may call, and what happens in the others.
package ringoredis
