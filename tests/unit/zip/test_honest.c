/* Archives by honest tools, made here and now: all accepted, but for what the profile refuses
 * knowingly. A tool that is missing skips its test, and says so. */
#include "ziptest.h"

#include <stdio.h>

/* A tree with a bit of everything that file names and contents are. */
#define TREE                                                                                       \
    "mkdir -p \"$DIR/t/scripts\" \"$DIR/t/empty dir\" && cd \"$DIR/t\" && printf '# S\\n' "        \
    ">SKILL.md && seq 3000 >scripts/data.txt && printf '#!/bin/sh\\n' >scripts/run.sh && "         \
    "chmod 755 scripts/run.sh && : >empty && head -c 70000 /dev/urandom >noise.bin && "            \
    "printf x >'with space'; Z=\"$DIR/out.zip\"; U='caf\303\251.txt'; "

static const char *out_path(void)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/out.zip", test_dir());
    return path;
}

/* Makes $Z in a tree with SKILL.md; the audit must find exactly these ids. */
static void check_tool(const char *tool, const char *command, const char *ids)
{
    char script[4000];
    struct zip_report r;
    zt_need(tool);
    snprintf(script, sizeof script,
             "{ %s %s\n} >\"$DIR/log\" 2>&1 || { cat \"$DIR/log\"; exit 1; }", TREE, command);
    CHECK(zt_run(script));
    zt_audit(out_path(), 0, NULL, &r);
    for (size_t i = 0; i < r.n_findings; i++)
        printf("# %s [%s]\n", r.findings[i].message, r.findings[i].rule->id);
    CHECK_STR(zt_ids(&r), str_c(ids));
    zip_report_deinit(&r);
}

#define HONEST(name, tool, command)                                                                \
    TEST(name)                                                                                     \
    {                                                                                              \
        check_tool(tool, command, "");                                                             \
    }
/* Refused knowingly (docs/ZIP_PROFILE.md, "Honest archives that are refused"). */
#define REFUSED(name, tool, command, ids)                                                          \
    TEST(name)                                                                                     \
    {                                                                                              \
        check_tool(tool, command, ids);                                                            \
    }

HONEST(infozip, "zip", "zip -r \"$Z\" .")
HONEST(infozip_no_extra, "zip", "zip -X -D -r \"$Z\" .")
HONEST(infozip_levels, "zip", "zip -0 -r \"$Z\" . && zip -9 \"$Z\" scripts/data.txt")
HONEST(infozip_comment, "zip", "echo 'a comment' | zip -z -r \"$Z\" .")
HONEST(infozip_piped, "zip", "zip -r - . | cat >\"$Z\"")
HONEST(infozip_from_stdin_to_pipe, "zip", "zip -r - SKILL.md scripts | cat >\"$Z\"")
HONEST(infozip_utf8_locale, "zip", "touch \"$U\" && LC_ALL=C.UTF-8 zip -r \"$Z\" .")
HONEST(infozip_c_locale, "zip", "touch \"$U\" && LC_ALL=C zip -r \"$Z\" .")
HONEST(infozip_utf8_everywhere, "zip", "touch \"$U\" && LC_ALL=C.UTF-8 zip -UN=UTF8 -r \"$Z\" .")
HONEST(infozip_deleted_and_updated, "zip",
       "zip -r \"$Z\" . && zip -d \"$Z\" noise.bin && echo more >>empty && zip \"$Z\" empty")
HONEST(sevenzip, "7z", "7z a -tzip \"$Z\" .")
HONEST(sevenzip_store, "7z", "7z a -tzip -mx=0 \"$Z\" .")
HONEST(sevenzip_best, "7z", "7z a -tzip -mx=9 \"$Z\" .")
HONEST(sevenzip_utf8, "7z", "touch \"$U\" && LC_ALL=C.UTF-8 7z a -tzip -mcu=on \"$Z\" .")
HONEST(bsdtar_names, "bsdtar", "LC_ALL=C.UTF-8 bsdtar -a -cf \"$Z\" *")
HONEST(bsdtar_store, "bsdtar",
       "LC_ALL=C.UTF-8 bsdtar --format zip --options zip:compression=store -cf \"$Z\" *")
HONEST(bsdtar_utf8, "bsdtar", "touch \"$U\" && LC_ALL=C.UTF-8 bsdtar -a -cf \"$Z\" *")
HONEST(cmake, "cmake", "cmake -E tar cf \"$Z\" --format=zip SKILL.md scripts empty noise.bin")
HONEST(jar, "jar", "jar cMf \"$Z\" .")
HONEST(jar_with_manifest, "jar", "jar cf \"$Z\" .")
HONEST(jar_stored, "jar", "jar c0Mf \"$Z\" .")
HONEST(jar_utf8, "jar", "touch \"$U\" && LC_ALL=C.UTF-8 jar cMf \"$Z\" .")
HONEST(git_archive, "git",
       "git init -q . && git add -A && git -c user.name=x -c user.email=x@y commit -qm x && "
       "git archive --format=zip -o \"$Z\" HEAD")
HONEST(git_archive_store, "git",
       "git init -q . && git add -A && git -c user.name=x -c user.email=x@y commit -qm x && "
       "git archive --format=zip -0 -o \"$Z\" HEAD")
HONEST(python_make_archive, "python3",
       "/usr/bin/python3 -c 'import shutil,sys; shutil.make_archive(sys.argv[1][:-4], \"zip\", "
       "\".\")' \"$Z\"")
HONEST(python_zipfile_module, "python3", "/usr/bin/python3 -m zipfile -c \"$Z\" *")

#define PYTHON(name, body)                                                                         \
    HONEST(name, "python3",                                                                        \
           "/usr/bin/python3 - \"$Z\" <<'END'\nimport sys, zipfile, io\n"                          \
           "class Pipe(io.RawIOBase):\n"                                                           \
           "    def __init__(self, f): self.f = f\n"                                               \
           "    def writable(self): return True\n"                                                 \
           "    def write(self, b): return self.f.write(b)\n"                                      \
           "out = open(sys.argv[1], 'wb')\n" body "\nout.close()\nEND\n")

PYTHON(python_stored, "z = zipfile.ZipFile(out, 'w'); z.write('SKILL.md'); z.write('scripts'); "
                      "z.close()")
PYTHON(python_unicode,
       "z = zipfile.ZipFile(out, 'w', 8); z.write('SKILL.md'); z.writestr('caf\\u00e9', 'x'); "
       "z.writestr('cafe\\u0301s', 'x'); z.close()")
PYTHON(python_unseekable,
       "z = zipfile.ZipFile(Pipe(out), 'w', 8); z.write('SKILL.md'); z.write('scripts/data.txt'); "
       "z.mkdir('d') if hasattr(z, 'mkdir') else None; z.close()")
PYTHON(python_unseekable_stored,
       "z = zipfile.ZipFile(Pipe(out), 'w'); z.write('SKILL.md'); z.write('empty'); z.close()")
PYTHON(python_force_zip64, "z = zipfile.ZipFile(out, 'w', 8); z.write('SKILL.md')\n"
                           "with z.open('big', 'w', force_zip64=True) as f: f.write(b'x' * 500)\n"
                           "z.close()")
PYTHON(python_force_zip64_unseekable,
       "z = zipfile.ZipFile(Pipe(out), 'w', 8); z.write('SKILL.md')\n"
       "with z.open('big', 'w', force_zip64=True) as f: f.write(b'x' * 500)\n"
       "z.close()")
/* 3.11.4 and later: the local header has both sentinels. */
PYTHON(python_later_force_zip64,
       "import struct\n"
       "def header(self, zip64=None, old=zipfile.ZipInfo.FileHeader):\n"
       "    h = bytearray(old(self, zip64))\n"
       "    if zip64: h[18:26] = b'\\xff' * 8\n"
       "    return bytes(h)\n"
       "zipfile.ZipInfo.FileHeader = header\n"
       "for target in (out,):\n"
       "    z = zipfile.ZipFile(target, 'w', 8); z.write('SKILL.md')\n"
       "    with z.open('big', 'w', force_zip64=True) as f: f.write(b'x' * 500)\n"
       "    z.close()")
/* What Finder adds. */
PYTHON(python_macos_entries,
       "z = zipfile.ZipFile(out, 'w', 8); z.write('SKILL.md')\n"
       "z.writestr('__MACOSX/', ''); z.writestr('__MACOSX/._SKILL.md', b'\\0\\5\\x16\\7')\n"
       "z.writestr('.DS_Store', 'x'); z.close()")

#define JAVA(name, body)                                                                           \
    HONEST(name, "javac",                                                                          \
           "cat >\"$DIR/T.java\" <<'END'\nimport java.io.*; import java.util.zip.*;\n"             \
           "public class T { public static void main(String[] a) throws Exception {\n"             \
           "ZipOutputStream z = new ZipOutputStream(new FileOutputStream(a[0]));\n" body           \
           "\nz.close(); } }\nEND\njava -Xshare:auto -XX:TieredStopAtLevel=1 \"$DIR/T.java\" "     \
           "\"$Z\"")

JAVA(java_zip_output_stream,
     "z.putNextEntry(new ZipEntry(\"SKILL.md\")); z.write(\"# S\".getBytes()); z.closeEntry();\n"
     "z.putNextEntry(new ZipEntry(\"dir/\")); z.closeEntry();\n"
     "z.putNextEntry(new ZipEntry(\"dir/caf\\u00e9\")); z.write(65); z.closeEntry();\n"
     "z.putNextEntry(new ZipEntry(\"empty\")); z.closeEntry();")

HONEST(
    go_archive_zip, "go",
    "mkdir \"$DIR/go\" && cat >\"$DIR/go/m.go\" <<'END'\n"
    "package main\nimport (\"archive/zip\"; \"os\")\n"
    "func main() { f, _ := os.Create(os.Args[1]); z := zip.NewWriter(f)\n"
    "for _, n := range []string{\"SKILL.md\", \"dir/\", \"dir/caf\\u00e9\", \"e\"} {\n"
    "w, _ := z.Create(n); if n[len(n)-1] != '/' { w.Write([]byte(n)) } }\n"
    "z.SetComment(\"by go\"); z.Close(); f.Close() }\nEND\n"
    "HOME=\"$DIR\" GOCACHE=${GOCACHE:-\"${TMPDIR:-/tmp}/stigmer-test-gocache\"} GOFLAGS=-mod=mod "
    "GO111MODULE=off go run \"$DIR/go/m.go\" \"$Z\"")
HONEST(perl_io_compress, "perl",
       "perl -MIO::Compress::Zip=:all -e 'zip [\"SKILL.md\", \"scripts/data.txt\"] => $ARGV[0], "
       "FilterName => sub {} or die $ZipError' \"$Z\"")
HONEST(perl_io_compress_stream, "perl",
       "perl -MIO::Compress::Zip=:all -e 'zip [\"SKILL.md\", \"empty\"] => $ARGV[0], Stream => 1 "
       "or die $ZipError' \"$Z\"")

REFUSED(infozip_symlinks, "zip", "ln -s SKILL.md link && zip -y -r \"$Z\" .", "special-file")
REFUSED(infozip_forced_zip64, "zip", "zip -fz -r \"$Z\" SKILL.md", "no-zip64")
REFUSED(infozip_encrypted, "zip", "zip -P secret -r \"$Z\" SKILL.md", "flags")
REFUSED(infozip_self_extractor, "zip",
        "zip -r \"$DIR/x.zip\" . && cat /bin/true \"$DIR/x.zip\" >\"$Z\" && zip -A \"$Z\"",
        "starts-with-lfh")
REFUSED(sevenzip_lzma, "7z", "7z a -tzip -mm=LZMA \"$Z\" scripts/data.txt SKILL.md",
        "method,version")
REFUSED(sevenzip_deflate64, "7z", "7z a -tzip -mm=Deflate64 \"$Z\" scripts/data.txt SKILL.md",
        "method")
REFUSED(bsdtar_dot, "bsdtar", "LC_ALL=C.UTF-8 bsdtar -a -cf \"$Z\" .", "name-path,skill-md")
REFUSED(two_archives_in_one_file, "zip",
        "zip -r \"$DIR/x.zip\" . && cat \"$DIR/x.zip\" \"$DIR/x.zip\" >\"$Z\"", "directory-extent")
REFUSED(one_folder_above, "zip", "cd .. && zip -r \"$Z\" t", "skill-md")
