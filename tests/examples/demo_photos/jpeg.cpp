// SPDX-License-Identifier: Apache-2.0
#include "jpeg.hpp"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>

#include <jerror.h>
#include <jpeglib.h>

namespace demo {
namespace {

// libjpeg reports an error by calling a function that must not return. A longjmp may not skip the
// destructor of a C++ object, so every call of libjpeg stands in a method of `jpeg_reader` or
// `jpeg_writer` that holds nothing but plain values between its setjmp and its end.
struct jpeg_errors : jpeg_error_mgr {
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void jump_out(j_common_ptr info) {
  auto* errors = static_cast<jpeg_errors*>(info->err);
  errors->format_message(info, errors->text);
  std::longjmp(errors->jump, 1);
}

// libjpeg calls it a warning when it had to invent pixels; here it is an error. Those that cost no
// pixel stay unheard: cameras write them every day.
void jump_out_when_pixels_are_lost(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL: return;
    default: jump_out(info);
  }
}

jpeg_error_mgr* prepare_errors(jpeg_errors& errors) {
  jpeg_std_error(&errors);
  errors.error_exit = jump_out;
  errors.emit_message = jump_out_when_pixels_are_lost;
  errors.text[0] = '\0';
  return &errors;
}

class jpeg_reader {
 public:
  explicit jpeg_reader(byte_view file) : file_(file) { info_.err = prepare_errors(errors_); }
  jpeg_reader(const jpeg_reader&) = delete;
  jpeg_reader& operator=(const jpeg_reader&) = delete;
  ~jpeg_reader() { jpeg_destroy_decompress(&info_); }

  bool read_header() {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, file_.data(), static_cast<unsigned long>(file_.size()));
    jpeg_read_header(&info_, TRUE);
    bool four_inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
    return true;
  }

  bool read_pixels(std::uint8_t* out) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_start_decompress(&info_);
    auto row_bytes = static_cast<std::size_t>(info_.output_width) * info_.output_components;
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = out + row_bytes * info_.output_scanline;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  picture_size size() const {
    return {static_cast<int>(info_.image_width), static_cast<int>(info_.image_height)};
  }
  bool is_cmyk() const { return info_.out_color_space == JCS_CMYK; }
  /// Adobe's programs write 255 for "no ink", and nearly all CMYK files come from them.
  bool is_inverted() const { return info_.saw_Adobe_marker; }
  failure why() const { return {fault::damaged, errors_.text}; }

 private:
  byte_view file_;
  jpeg_decompress_struct info_{};
  jpeg_errors errors_{};
};

class jpeg_writer {
 public:
  jpeg_writer() { info_.err = prepare_errors(errors_); }
  jpeg_writer(const jpeg_writer&) = delete;
  jpeg_writer& operator=(const jpeg_writer&) = delete;
  ~jpeg_writer() {
    jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }

  bool write(const picture& image, int quality) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &buffer_, &buffer_bytes_);
    info_.image_width = static_cast<JDIMENSION>(image.size.width);
    info_.image_height = static_cast<JDIMENSION>(image.size.height);
    info_.input_components = image.channels;
    info_.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                           : image.channels == 3 ? JCS_RGB
                                                 : JCS_CMYK;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      auto* row = const_cast<JSAMPROW>(image.row(static_cast<int>(info_.next_scanline)));
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  file_bytes bytes() const { return file_bytes(buffer_, buffer_ + buffer_bytes_); }
  failure why() const { return {fault::damaged, errors_.text}; }

 private:
  jpeg_compress_struct info_{};
  jpeg_errors errors_{};
  unsigned char* buffer_ = nullptr;
  unsigned long buffer_bytes_ = 0;
};

picture rgb_from_cmyk(const picture& inks, bool inverted) {
  picture rgb(inks.size, 3);
  const unsigned flip = inverted ? 0 : 255;  // afterwards 255 means "no ink"
  std::uint8_t* out = rgb.bytes.data();
  for (std::size_t i = 0; i < inks.bytes.size(); i += 4) {
    const unsigned black = inks.bytes[i + 3] ^ flip;
    for (std::size_t c = 0; c < 3; ++c) {
      *out++ = static_cast<std::uint8_t>(((inks.bytes[i + c] ^ flip) * black + 127) / 255);
    }
  }
  return rgb;
}

}  // namespace

bool is_jpeg(byte_view file) {
  return file.size() >= 3 && file[0] == 0xFF && file[1] == 0xD8 && file[2] == 0xFF;
}

outcome<picture_size> jpeg_size(byte_view file) {
  jpeg_reader reader(file);
  if (!reader.read_header()) return reader.why();
  return reader.size();
}

outcome<picture> decode_jpeg(byte_view file) {
  jpeg_reader reader(file);
  if (!reader.read_header()) return reader.why();
  if (reader.size().pixels() > photo_pixels_max) {
    return failure{fault::too_large, "claims more pixels than this program decodes"};
  }
  picture decoded(reader.size(), reader.is_cmyk() ? 4 : 3);
  if (!reader.read_pixels(decoded.bytes.data())) return reader.why();
  if (reader.is_cmyk()) return rgb_from_cmyk(decoded, reader.is_inverted());
  return decoded;
}

outcome<file_bytes> encode_jpeg(const picture& image, int quality) {
  jpeg_writer writer;
  if (!writer.write(image, quality)) return writer.why();
  return writer.bytes();
}

}  // namespace demo
