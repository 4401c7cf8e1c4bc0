// Archives by Go's archive/zip. usage: write TREE OUT_DIR
package main

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

var date = time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// From the file's own information, or from the name alone.
func header(path, name string, d fs.DirEntry, bare bool) *zip.FileHeader {
	info, err := d.Info()
	must(err)
	h := &zip.FileHeader{}
	if !bare {
		h, err = zip.FileInfoHeader(info)
		must(err)
	}
	h.Name, h.Modified, h.Method = name, date, zip.Deflate
	if d.IsDir() {
		h.Name, h.Method = name+"/", zip.Store
	}
	return h
}

func archive(tree, out string, bare bool) {
	f, err := os.Create(out)
	must(err)
	z := zip.NewWriter(f)
	must(filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		must(err)
		if path == tree {
			return nil
		}
		name, err := filepath.Rel(tree, path)
		must(err)
		w, err := z.CreateHeader(header(path, name, d, bare))
		must(err)
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		must(err)
		_, err = w.Write(data)
		return err
	}))
	must(z.SetComment("by Go"))
	must(z.Close())
	must(f.Close())
}

func main() {
	archive(os.Args[1], filepath.Join(os.Args[2], "go.zip"), false)
	archive(os.Args[1], filepath.Join(os.Args[2], "go-bare.zip"), true)
}
