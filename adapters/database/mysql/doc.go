// Package ringomysql lets tasks query MySQL and MariaDB by github.com/go-sql-driver/mysql. A task uses a session that
// belongs to its loop, by the methods of a sql.Conn, and gives it back. The pool is a sockclient.Pool:
//
//	users := &sockclient.Pool{Dial: ringomysql.Dial(config), Check: ringomysql.Check, Max: 8, MaxIdle: 8}
//	...
//	err := ringomysql.Do(r.Context(), users, func(ctx context.Context, c *sql.Conn) error {
//		return c.QueryRowContext(ctx, "select name from users where id = ?", id).Scan(&name)
//	})
//
// Goroutines use sql.DB as usual, with or without a sock.Dialer's Func as the config's DialFunc. docs/databases.md
// lists the methods of a sql.Conn that tasks may call, and what happens in the others.
package ringomysql
