<?php
// Archives by PHP's ZipArchive, that is libzip. usage: php write.php TREE OUT_DIR
[, $tree, $out] = $argv;
$files = new RecursiveIteratorIterator(
    new RecursiveDirectoryIterator($tree, FilesystemIterator::SKIP_DOTS),
    RecursiveIteratorIterator::SELF_FIRST);
$paths = array_map('strval', iterator_to_array($files, false));
sort($paths);

function archive($tree, $paths, $out, $method)
{
    $z = new ZipArchive();
    $z->open($out, ZipArchive::CREATE);
    foreach ($paths as $path) {
        $name = substr($path, strlen($tree) + 1);
        is_dir($path) ? $z->addEmptyDir($name) : $z->addFile($path, $name);
        $name = is_dir($path) ? "$name/" : $name;
        $z->setMtimeName($name, 1704164646);
        $z->setCompressionName($name, $method);
    }
    $z->close() || exit(1);
}

archive($tree, $paths, "$out/php.zip", ZipArchive::CM_DEFLATE);
archive($tree, $paths, "$out/php-stored.zip", ZipArchive::CM_STORE);
