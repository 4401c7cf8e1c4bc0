# Archives by rubyzip. usage: ruby write.rb TREE OUT_DIR
require 'zip'

tree, out = ARGV
TIME = Zip::DOSTime.local(2024, 1, 2, 3, 4, 6)
paths = Dir.glob('**/*', File::FNM_DOTMATCH, base: tree).reject { |p| File.basename(p) == '.' }.sort
Zip.unicode_names = true

def entry(name)
  Zip::Entry.new('', name).tap { |e| e.time = TIME }
end

# Through a stream, as web applications do.
Zip::OutputStream.open("#{out}/ruby-stream.zip") do |z|
  paths.select { |p| File.file?("#{tree}/#{p}") }.each do |p|
    z.put_next_entry(entry(p))
    z.write(File.binread("#{tree}/#{p}"))
  end
end

Zip::File.open("#{out}/ruby.zip", Zip::File::CREATE) do |z|
  paths.each { |p| z.add(p, "#{tree}/#{p}") }
end
