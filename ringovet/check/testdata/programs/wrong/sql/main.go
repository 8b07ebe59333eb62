// A query for each request.
package main

import (
	"context"
	"database/sql"
	"log"

	"ringo/sock"
)

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		var name string
		row := db.QueryRow("select name from users where id = 1") // want `\(\*sql.DB\).QueryRow .*Loop.Offload`
		if row.Scan(&name) == nil {                               // want `\(\*sql.Row\).Scan`
			c.Write([]byte(name))
		}
	}))
}
