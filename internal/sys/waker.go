package sys

// Waker ends a poll from another thread: its descriptor In is readable from Signal to Unsignal. Any thread may call
// Signal.
type Waker struct{ In, out int32 }
