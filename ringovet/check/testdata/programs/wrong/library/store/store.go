// Package store keeps its data on a goroutine.
package store

type request struct {
	key   string
	reply chan string
}

// A Store has keys.
type Store struct {
	requests chan request
	data     map[string]string
}

// New makes a Store.
func New() *Store {
	s := &Store{requests: make(chan request), data: map[string]string{}}
	go s.run()
	return s
}

func (s *Store) run() {
	for r := range s.requests {
		r.reply <- s.data[r.key]
	}
}

// Get asks for a key.
func (s *Store) Get(key string) string { return s.ask(key) }

func (s *Store) ask(key string) string {
	r := request{key, make(chan string, 1)}
	s.requests <- r  // want whole `channel send .*Store\).Get -> .*Store\).ask`
	return <-r.reply // want whole `channel receive`
}

// Each visits all keys.
func (s *Store) Each(visit func(string)) {
	for k := range s.data {
		visit(k)
	}
}
