// A transaction through an interface.
package main

import (
	"context"
	"database/sql"
	"log"

	"ringo/sock"
)

type users interface {
	Rename(id int, name string) error
}

type table struct{ db *sql.DB }

func (t table) Rename(id int, name string) error {
	tx, err := t.db.Begin() // want `\(\*sql.DB\).Begin .*-> \(main.table\).Rename`
	if err != nil {
		return err
	}
	defer tx.Rollback()                                                            // want `\(\*sql.Tx\).Rollback`
	if _, err := tx.Exec("update users set name = $2 where id = $1"); err != nil { // want `\(\*sql.Tx\).Exec`
		return err
	}
	return tx.Commit() // want `\(\*sql.Tx\).Commit`
}

type server struct{ users users }

func (s *server) handle(c *sock.Conn) {
	s.users.Rename(1, "x")
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	s := &server{users: table{db}}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", s.handle))
}
