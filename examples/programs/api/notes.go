package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// notes are in a database. count is their number, kept in memory as well.
type notes struct {
	db    *sql.DB
	count atomic.Int64
}

const noteMax = 64 << 10 // bytes

func openNotes(ctx context.Context, db *sql.DB) (*notes, error) {
	_, err := db.ExecContext(ctx, "create table if not exists notes (id bigserial primary key, text text)")
	if err != nil {
		return nil, err
	}
	n := &notes{db: db}
	var count int64
	err = db.QueryRowContext(ctx, "select count(*) from notes").Scan(&count)
	n.count.Store(count)
	return n, err
}

// router has the routes that use the database.
func (n *notes) router() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Get("/notes", n.serveList)
	r.Post("/notes", n.serveAdd)
	r.Get("/notes/{id}", n.serveOne)
	return r
}

func (n *notes) serveList(w http.ResponseWriter, r *http.Request) {
	rows, err := n.db.QueryContext(r.Context(), "select id, text from notes order by id desc limit 100")
	if err != nil {
		fail(w, err)
		return
	}
	defer rows.Close()
	all := []note{}
	for rows.Next() {
		var one note
		if err := rows.Scan(&one.ID, &one.Text); err != nil {
			fail(w, err)
			return
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, all)
}

func (n *notes) serveAdd(w http.ResponseWriter, r *http.Request) {
	var one note
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, noteMax)).Decode(&one); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	row := n.db.QueryRowContext(r.Context(), "insert into notes (text) values ($1) returning id", one.Text)
	if err := row.Scan(&one.ID); err != nil {
		fail(w, err)
		return
	}
	n.count.Add(1)
	answer(w, http.StatusCreated, one)
}

func (n *notes) serveOne(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	var one note
	row := n.db.QueryRowContext(r.Context(), "select id, text from notes where id = $1", id)
	switch err := row.Scan(&one.ID, &one.Text); {
	case errors.Is(err, sql.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		fail(w, err)
	default:
		answer(w, http.StatusOK, one)
	}
}

// serveCount is requested most, so it does not ask the database.
func (n *notes) serveCount(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Write(strconv.AppendInt(nil, n.count.Load(), 10))
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
