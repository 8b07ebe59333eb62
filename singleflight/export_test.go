package singleflight

// Waiting is how many callers wait for a key's call.
func (g *Group[K, V]) Waiting(key K) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[key]; c != nil {
		return c.waiting
	}
	return 0
}

// Calls is how many keys have one.
func (g *Group[K, V]) Calls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}
