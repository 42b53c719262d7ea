package sdk_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsed returns the files of a package's folder, tests too.
func parsed(t *testing.T, dir string) (*token.FileSet, map[string]*ast.File) {
	t.Helper()
	fset, files := token.NewFileSet(), map[string]*ast.File{}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, name := range names {
		if files[name], err = parser.ParseFile(fset, name, nil, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
	}
	return fset, files
}

// undocumented returns the exported names of a package without a comment of
// their own or of their group.
func undocumented(t *testing.T, dir string) []string {
	t.Helper()
	fset, files := parsed(t, dir)
	var sources []*ast.File
	for name, f := range files {
		if !strings.HasSuffix(name, "_test.go") {
			sources = append(sources, f)
		}
	}
	p, err := doc.NewFromFiles(fset, sources, dir)
	if err != nil {
		t.Fatal(err)
	}
	var bare []string
	note := func(name, text string) {
		if text == "" && ast.IsExported(name[strings.LastIndexByte(name, '.')+1:]) {
			bare = append(bare, name)
		}
	}
	note("Package", p.Doc)
	values := append(slices.Clone(p.Consts), p.Vars...)
	funcs := slices.Clone(p.Funcs)
	for _, typ := range p.Types {
		note(typ.Name, typ.Doc)
		values = append(append(values, typ.Consts...), typ.Vars...)
		funcs = append(funcs, typ.Funcs...)
		for _, m := range typ.Methods {
			note(typ.Name+"."+m.Name, m.Doc)
		}
	}
	for _, f := range funcs {
		note(f.Name, f.Doc)
	}
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			spec := spec.(*ast.ValueSpec)
			for _, name := range spec.Names {
				note(name.Name, v.Doc+spec.Doc.Text()+spec.Comment.Text())
			}
		}
	}
	return bare
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, dir := range []string{".", "serve", "sdkhttp", "wire", "sdktest", "reference", "testdata/bare"} {
		bare := undocumented(t, dir)
		if dir == "testdata/bare" { // the check can fail
			want := []string{"Package", "Bare", "T", "T.M", "C"}
			slices.Sort(want)
			slices.Sort(bare)
			if !slices.Equal(bare, want) {
				t.Errorf("in %s the check finds %v, want %v", dir, bare, want)
			}
			continue
		}
		for _, name := range bare {
			t.Errorf("sdk/%s: %s has no comment", dir, name)
		}
	}
}

// TestEveryAreaHasAnExample asks that of each source file of the package some
// exported name is used by an example that runs.
func TestEveryAreaHasAnExample(t *testing.T) {
	_, files := parsed(t, ".")
	used := map[string]bool{}
	for _, e := range doc.Examples(slices.Collect(maps.Values(files))...) {
		if e.Output == "" && !e.EmptyOutput {
			t.Errorf("Example%s does not run: it has no output", e.Name)
		}
		ast.Inspect(e.Code, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				used[s.Sel.Name] = true
			}
			return true
		})
	}
	for name, f := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		names := exported(f)
		shown := slices.ContainsFunc(names, func(n string) bool { return used[n] })
		if len(names) > 0 && !shown {
			t.Errorf("nothing of %s is in an example: %v", name, names)
		}
	}
}

// exported returns the exported names that a file declares at its top.
func exported(f *ast.File) []string {
	var out []string
	note := func(name string) {
		if ast.IsExported(name) {
			out = append(out, name)
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			note(d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					note(spec.Name.Name)
				}
			}
		}
	}
	return out
}
