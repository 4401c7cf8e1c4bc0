// What Java's ZipFile and ZipInputStream see. usage: java Read <LIST   (README.md, "Readers")
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Enumeration;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

public class Read {
    interface Reader {
        void read(String path, StringBuilder tree) throws Exception;
    }

    static String quote(String s) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray())
            out.append(c == '"' || c == '\\' || c < 0x20 || c > 0x7e ? String.format("\\u%04x", (int) c)
                                                                     : String.valueOf(c));
        return out.append('"').toString();
    }

    static String sha256(InputStream in) throws Exception {
        StringBuilder hex = new StringBuilder();
        for (byte b : MessageDigest.getInstance("SHA-256").digest(in.readAllBytes()))
            hex.append(String.format("%02x", b));
        return hex.toString();
    }

    static void add(StringBuilder tree, ZipEntry e, InputStream in) throws Exception {
        tree.append(tree.length() == 0 ? "" : ",").append('[').append(quote(e.getName()));
        if (e.isDirectory())
            tree.append(",\"d\",null]");
        else
            tree.append(",\"f\",\"").append(sha256(in)).append("\"]");
    }

    static void zipFile(String path, StringBuilder tree) throws Exception {
        try (ZipFile z = new ZipFile(path)) {
            for (Enumeration<? extends ZipEntry> all = z.entries(); all.hasMoreElements();) {
                ZipEntry e = all.nextElement();
                try (InputStream in = z.getInputStream(e)) {
                    add(tree, e, in);
                }
            }
        }
    }

    static void zipInputStream(String path, StringBuilder tree) throws Exception {
        try (ZipInputStream z = new ZipInputStream(new FileInputStream(path))) {
            for (ZipEntry e = z.getNextEntry(); e != null; e = z.getNextEntry())
                add(tree, e, z);
        }
    }

    static String say(String name, Reader reader, String path) {
        StringBuilder tree = new StringBuilder();
        String said;
        try {
            reader.read(path, tree);
            said = "\"tree\":[" + tree + "]";
        } catch (Exception error) {
            said = "\"error\":" + quote(error.toString());
        }
        return "{\"reader\":\"" + name + "\"," + said + "}";
    }

    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String path = in.readLine(); path != null; path = in.readLine()) {
            out.println(say("java-file", Read::zipFile, path));
            out.println(say("java-stream", Read::zipInputStream, path));
        }
        out.flush();
    }
}
