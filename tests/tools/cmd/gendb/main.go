// Command gendb writes the home of a CometBFT node of any size in seconds: valid keys and
// configuration, and goleveldb stores whose keys, value sizes and write pattern are those of a
// real chain. Values of blocks and transactions are noise, so no node would run on it; what
// reads heights and LevelDB structure finds everything in its place.
//
//	gendb -home DIR -mb 2000                  write about 2 GB
//	gendb -home DIR -mb 0 -run 60 -rate 5     then go on at 5 MB/s for a minute
//	gendb -home DIR -verify                   open a copy and check it as a whole
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

type options struct {
	home   string
	mb     int64
	run    time.Duration
	rate   float64
	seed   uint64
	verify bool
}

func main() {
	var o options
	var seconds int
	flag.StringVar(&o.home, "home", "", "the node's home directory")
	flag.Int64Var(&o.mb, "mb", 100, "MB of keys and values to write")
	flag.IntVar(&seconds, "run", 0, "then (or instead, with -mb 0) go on writing for `seconds`")
	flag.Float64Var(&o.rate, "rate", 2, "MB/s while running")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of keys and values")
	flag.BoolVar(&o.verify, "verify", false, "open the home's stores and check that their heights fit and no block is missing")
	flag.Parse()
	o.run = time.Duration(seconds) * time.Second
	if o.home == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	act := generate
	if o.verify {
		act = verify
	}
	if err := act(o); err != nil {
		fmt.Fprintln(os.Stderr, "gendb:", err)
		os.Exit(1)
	}
}

func generate(o options) error {
	c, err := openChain(o)
	if err != nil {
		return err
	}
	start := time.Now()
	for c.written < o.mb*1e6 {
		if err := c.block(); err != nil {
			return err
		}
	}
	fmt.Printf("height %d, %d MB of keys and values in %.1f s\n", c.height, c.written/1e6, time.Since(start).Seconds())
	if o.run > 0 {
		start, c.written, c.durable = time.Now(), 0, true
		for time.Since(start) < o.run {
			if err := c.block(); err != nil {
				return err
			}
			due := time.Duration(float64(c.written) / 1e6 / o.rate * float64(time.Second))
			time.Sleep(due - time.Since(start))
		}
		fmt.Printf("height %d, ran %v, %d MB more\n", c.height, o.run, c.written/1e6)
	}
	return c.close()
}
