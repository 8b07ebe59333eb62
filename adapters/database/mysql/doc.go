// Package ringomysql has tasks ask MySQL and MariaDB by github.com/go-sql-driver/mysql, each with a session of its
// loop's own while it asks, by the methods of a sql.Conn. The pool is a sockclient.Pool:
//
//	users := &sockclient.Pool{Dial: ringomysql.Dial(config), Check: ringomysql.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringomysql.Do(r.Context(), users, func(ctx context.Context, c *sql.Conn) error {
//		return c.QueryRowContext(ctx, "select name from users where id = ?", id).Scan(&name)
//	})
//
// Goroutines have sql.DB, with a sock.Dialer's Func as the config's DialFunc or without. docs/databases.md says what of
// a sql.Conn tasks may call, and what the rest does.
package ringomysql
