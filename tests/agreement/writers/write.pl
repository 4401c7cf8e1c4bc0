# Archives by Perl's Archive::Zip and IO::Compress::Zip. usage: perl write.pl TREE OUT_DIR
use strict;
use warnings;
use Archive::Zip qw(:ERROR_CODES :CONSTANTS);
use IO::Compress::Zip qw(:all);

my ($tree, $out) = @ARGV;

my $zip = Archive::Zip->new();
$zip->addTree($tree, '') == AZ_OK or die;
$_->setLastModFileDateTimeFromUnix(1704164646) for $zip->members();
$zip->writeToFileNamed("$out/perl.zip") == AZ_OK or die;

chdir $tree or die;
my @files = grep { -f } <*>, <*/*>;
zip [@files] => "$out/perl-io.zip", Time => 1704164646 or die $ZipError;
zip [@files] => "$out/perl-io-stream.zip", Time => 1704164646, Stream => 1 or die $ZipError;
