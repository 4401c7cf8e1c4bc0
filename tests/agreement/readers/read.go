// What Go's archive/zip sees. usage: read <LIST   (README.md, "Readers")
package main

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
)

func content(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err = io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// A type that is neither file nor directory is shown as Go shows it.
func entry(f *zip.File) ([]any, error) {
	kind := f.Mode().Type()
	if kind == fs.ModeDir {
		return []any{f.Name, "d", nil}, nil
	}
	sum, err := content(f)
	if kind != 0 {
		return []any{f.Name, kind.String(), sum}, err
	}
	return []any{f.Name, "f", sum}, err
}

func read(path string) ([][]any, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	tree := [][]any{}
	for _, f := range z.File {
		e, err := entry(f)
		if err != nil {
			return nil, err
		}
		tree = append(tree, e)
	}
	return tree, nil
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		said := map[string]any{"reader": "go"}
		tree, err := read(in.Text())
		if err != nil {
			said["error"] = err.Error()
		} else {
			said["tree"] = tree
		}
		line, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(out, string(line))
	}
}
