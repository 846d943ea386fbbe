package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	walHeadSize = 10 << 20 // a node renames its head file at this size
	walFiles    = 20       // rotated files kept
)

// wal appends to cs.wal/wal and rotates it as a node's autofile group does. Its records are noise.
type wal struct {
	dir  string
	head *os.File
	size int64
}

func openWAL(dir string) (*wal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open WAL: %w", err)
	}
	w := &wal{dir: dir}
	return w, w.openHead()
}

func (w *wal) openHead() error {
	head, err := os.OpenFile(filepath.Join(w.dir, "wal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open WAL: %w", err)
	}
	found, err := head.Stat()
	if err != nil {
		return fmt.Errorf("open WAL: %w", err)
	}
	w.head, w.size = head, found.Size()
	return nil
}

func (w *wal) append(record []byte) (int, error) {
	if w.size > walHeadSize {
		if err := w.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := w.head.Write(record)
	w.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write WAL: %w", err)
	}
	return n, nil
}

func (w *wal) rotate() error {
	if err := w.head.Close(); err != nil {
		return fmt.Errorf("rotate WAL: %w", err)
	}
	rotated, err := filepath.Glob(filepath.Join(w.dir, "wal.*"))
	if err != nil {
		return fmt.Errorf("rotate WAL: %w", err)
	}
	numbers := make(map[string]int, len(rotated))
	next := 0
	for _, path := range rotated {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(path), "wal.%d", &n); err != nil {
			continue
		}
		numbers[path] = n
		next = max(next, n+1)
	}
	if err := os.Rename(filepath.Join(w.dir, "wal"), filepath.Join(w.dir, fmt.Sprintf("wal.%03d", next))); err != nil {
		return fmt.Errorf("rotate WAL: %w", err)
	}
	for path, n := range numbers {
		if n > next-walFiles {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("rotate WAL: %w", err)
		}
	}
	return w.openHead()
}

func (w *wal) close() error { return w.head.Close() }
