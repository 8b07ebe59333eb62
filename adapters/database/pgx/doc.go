// Package ringopgx has tasks ask PostgreSQL by github.com/jackc/pgx, each with a session of its loop's own while it
// asks. The pool is a sockclient.Pool:
//
//	users := &sockclient.Pool{Dial: ringopgx.Dial(config), Check: ringopgx.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringopgx.Do(r.Context(), users, func(ctx context.Context, c *pgx.Conn) error {
//		return c.QueryRow(ctx, "select name from users where id = $1", id).Scan(&name)
//	})
//
// Goroutines have pgxpool, with a sock.Dialer's Func as its DialFunc or without. docs/databases.md says which methods
// of a pgx.Conn tasks may call, and what the others do.
package ringopgx
