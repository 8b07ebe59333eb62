package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringo/retry"
)

// All requests to a service share a budget: of a hundred that fail, a fifth are made again, and the
// ten that it has at first.
func ExampleDo() {
	budget := retry.NewBudget(0.2, 0)
	policy := &retry.Policy{Calls: 2, Wait: -1, Budget: budget}
	calls := 0
	for range 100 {
		retry.Do(context.Background(), policy, func(context.Context) error {
			calls++
			return errors.New("the service is down")
		})
	}
	fmt.Println(calls, "calls,", budget.Refused(), "refused")
	// Output: 129 calls, 71 refused
}

// A request that takes long is made once more beside the first.
func ExampleHedge() {
	asked := make(chan bool, 2)
	asked <- true
	v, err := retry.Hedge(nil, &retry.Hedging{After: time.Millisecond}, func(ctx context.Context) (string, error) {
		select {
		case <-asked:
			<-ctx.Done() // a server that does not answer
			return "", ctx.Err()
		default:
			return "from another", nil
		}
	}, nil)
	fmt.Println(v, err)
	// Output: from another <nil>
}

// What another call would not mend is marked, and returned at once.
func ExamplePermanent() {
	errNoUser := errors.New("no such user")
	calls := 0
	err := retry.Do(context.Background(), nil, func(context.Context) error {
		calls++
		return retry.Permanent(errNoUser)
	})
	fmt.Println(calls, "call,", errors.Is(err, errNoUser))
	// Output: 1 call, true
}
