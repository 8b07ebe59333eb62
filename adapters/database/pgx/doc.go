// Package ringopgx lets tasks query PostgreSQL by github.com/jackc/pgx. A task uses a session that belongs to its
// loop, and gives it back. The pool is a sockclient.Pool:
//
//	users := &sockclient.Pool{Dial: ringopgx.Dial(config), Check: ringopgx.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringopgx.Do(r.Context(), users, func(ctx context.Context, c *pgx.Conn) error {
//		return c.QueryRow(ctx, "select name from users where id = $1", id).Scan(&name)
//	})
//
// Goroutines use pgxpool as usual, with or without a sock.Dialer's Func as its DialFunc. docs/databases.md lists the
// methods of a pgx.Conn that tasks may call, and what happens in the others.
package ringopgx
