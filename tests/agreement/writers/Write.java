// Archives by Java's ZipOutputStream. usage: java Write.java TREE OUT_DIR
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

public class Write {
    static final long TIME = 1704164646000L;

    static List<Path> paths(Path tree) throws IOException {
        try (Stream<Path> all = Files.walk(tree)) {
            return all.filter(p -> !p.equals(tree)).sorted().collect(Collectors.toList());
        }
    }

    static void put(ZipOutputStream z, Path tree, Path p, boolean stored) throws IOException {
        boolean dir = Files.isDirectory(p);
        byte[] data = dir ? new byte[0] : Files.readAllBytes(p);
        ZipEntry e = new ZipEntry(tree.relativize(p) + (dir ? "/" : ""));
        e.setTime(TIME);
        if (stored) {
            CRC32 crc = new CRC32();
            crc.update(data);
            e.setMethod(ZipEntry.STORED);
            e.setSize(data.length);
            e.setCrc(crc.getValue());
        }
        z.putNextEntry(e);
        z.write(data);
        z.closeEntry();
    }

    static void archive(Path tree, File out, boolean stored) throws IOException {
        try (ZipOutputStream z = new ZipOutputStream(new FileOutputStream(out))) {
            for (Path p : paths(tree))
                put(z, tree, p, stored);
        }
    }

    public static void main(String[] args) throws IOException {
        archive(Path.of(args[0]), new File(args[1], "java.zip"), false);
        archive(Path.of(args[0]), new File(args[1], "java-stored.zip"), true);
    }
}
