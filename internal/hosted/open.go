package hosted

import "ringo/internal/op"

// openRing makes one ring, smaller than configured if memory is short.
func openRing(cfg *Config) (*ring, error) {
	e, inFlight, err := openEngine(cfg)
	if err != nil {
		return nil, err
	}
	r := &ring{e: e, slab: op.NewSlab(0), max: inFlight, queue: cfg.Queue, few: max(cfg.Few, 0)}
	r.relieve = r.lead
	if err := r.watch(); err != nil {
		e.close()
		return nil, err
	}
	return r, nil
}

func openEngine(cfg *Config) (e engine, inFlight int, err error) {
	if cfg.Native {
		return openNative(cfg)
	}
	return openUring(cfg)
}
