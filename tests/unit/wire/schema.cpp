// SPDX-License-Identifier: Apache-2.0
// Google's own implementation of FlatBuffers as witness: it reads what we write and writes what we
// read, by session.fbs. A program of its own, because it needs that library (CMakeLists.txt).

#include <doctest/doctest.h>
#include <flatbuffers/idl.h>
#include <flatbuffers/reflection.h>
#include <flatbuffers/util.h>

#include <cstring>
#include <map>
#include <string>

#include "tests/unit/wire/samples.hpp"
#include "wire/encoding.hpp"
#include "wire/fields.hpp"

namespace {
using namespace beamlet;
using namespace beamlet::wire;

constexpr std::size_t header_bytes = 8;
const std::string schema_namespace = "beamlet.wire.";

std::unique_ptr<flatbuffers::Parser> make_parser() {
  flatbuffers::IDLOptions options;
  options.allow_non_utf8 = true;  // environments hold any bytes
  options.output_default_scalars_in_json = true;
  options.strict_json = true;
  auto parser = std::make_unique<flatbuffers::Parser>(options);
  std::string text;
  REQUIRE(flatbuffers::LoadFile(BEAMLET_SCHEMA, false, &text));
  REQUIRE_MESSAGE(parser->Parse(text.c_str()), parser->error_);
  return parser;
}

std::string schema_name(const table_layout& layout) {
  std::string name(layout.name, layout.name_bytes);
  return schema_namespace + name;
}

template <class F, class... T>
void for_each_layout(const std::variant<T...>*, F f) {
  (f(layout_of<T>), ...);
}
template <class F>
void for_each_layout(F f) {
  for_each_layout(static_cast<to_agent*>(nullptr), f);
  for_each_layout(static_cast<to_session*>(nullptr), f);
}

std::string type_name(const flatbuffers::StructDef* type) {
  return type->defined_namespace->GetFullyQualifiedName(type->name);
}

void check_type(const flatbuffers::Type& type, const field& field) {
  using namespace flatbuffers;
  static const std::map<shape, BaseType> types = {
      {shape::id, BASE_TYPE_STRUCT},     {shape::range, BASE_TYPE_STRUCT},
      {shape::text, BASE_TYPE_STRING},   {shape::blob, BASE_TYPE_VECTOR},
      {shape::texts, BASE_TYPE_VECTOR},  {shape::ids, BASE_TYPE_VECTOR},
      {shape::table, BASE_TYPE_STRUCT},  {shape::tables, BASE_TYPE_VECTOR},
      {shape::failure, BASE_TYPE_STRUCT}};
  static const std::map<shape, BaseType> elements = {{shape::blob, BASE_TYPE_UCHAR},
                                                     {shape::texts, BASE_TYPE_STRING},
                                                     {shape::ids, BASE_TYPE_STRUCT},
                                                     {shape::tables, BASE_TYPE_STRUCT}};
  if (field.kind == shape::number) {
    CHECK(IsScalar(type.base_type));
    CHECK(SizeOf(type.base_type) == field.bytes);
    std::size_t max = type.base_type == BASE_TYPE_BOOL ? 1 : 255;
    if (type.enum_def != nullptr) max = type.enum_def->size() - 1;
    CHECK(field.max == max);
    return;
  }
  CHECK(type.base_type == types.at(field.kind));
  if (elements.count(field.kind) != 0) CHECK(type.element == elements.at(field.kind));
  if (type.struct_def == nullptr) return;
  if (field.of != nullptr) CHECK(type_name(type.struct_def) == schema_name(*field.of));
  if (field.kind == shape::id || field.kind == shape::ids)
    CHECK(type.struct_def->name == "object_id");
  if (field.kind == shape::range) CHECK(type.struct_def->name == "extent");
  if (field.kind == shape::failure) CHECK(type.struct_def->name == "error_image");
}

void check_layout(flatbuffers::Parser& parser, const table_layout& layout) {
  const std::string name = schema_name(layout);
  CAPTURE(name);
  const flatbuffers::StructDef* table = parser.LookupStruct(name);
  REQUIRE(table != nullptr);
  CHECK_FALSE(table->fixed);
  REQUIRE(table->fields.vec.size() == layout.field_count);
  for (std::size_t i = 0; i < layout.field_count; ++i) {
    const field& field = layout.fields[i];
    CAPTURE(field.name);
    CHECK(table->fields.vec[i]->name == field.name);
    CHECK(table->fields.vec[i]->value.offset == 4 + 2 * i);
    check_type(table->fields.vec[i]->value.type, field);
    if (field.of != nullptr) check_layout(parser, *field.of);
  }
}

template <class Message, class Decode>
void check_with_witness(const std::vector<Message>& messages, Decode decode) {
  auto parser = make_parser();
  parser->Serialize();
  const bytes binary_schema(
      reinterpret_cast<const std::byte*>(parser->builder_.GetBufferPointer()),
      reinterpret_cast<const std::byte*>(parser->builder_.GetBufferPointer()) +
          parser->builder_.GetSize());
  const reflection::Schema& schema = *reflection::GetSchema(binary_schema.data());
  for (const Message& message : messages) {
    CAPTURE(message.index());
    std::string name;
    std::size_t index = 0;
    for_each_layout(&message, [&](const table_layout& layout) {
      if (index++ == message.index()) name = schema_name(layout);
    });
    CAPTURE(name);
    auto encoded = encode(message);
    REQUIRE(encoded.has_value());
    // Of its own, so that it is aligned from its start.
    const bytes body(encoded->begin() + header_bytes, encoded->end());
    REQUIRE(schema.objects()->LookupByKey(name.c_str()) != nullptr);
    CHECK(flatbuffers::Verify(schema, *schema.objects()->LookupByKey(name.c_str()),
                              reinterpret_cast<const std::uint8_t*>(body.data()), body.size()));

    REQUIRE(parser->SetRootType(name.c_str()));
    std::string text;
    REQUIRE(flatbuffers::GenerateText(*parser, body.data(), &text));
    REQUIRE_MESSAGE(parser->ParseJson(text.c_str()), parser->error_);
    bytes theirs(encoded->begin(), encoded->begin() + header_bytes);
    auto begin = reinterpret_cast<const std::byte*>(parser->builder_.GetBufferPointer());
    theirs.insert(theirs.end(), begin, begin + parser->builder_.GetSize());
    auto decoded = decode(theirs);
    CAPTURE(text);
    REQUIRE(decoded.has_value());
    CHECK(samples::same(*decoded, message));
  }
}

TEST_CASE("schema: session.fbs has the tables of the code, field by field") {
  auto parser = make_parser();
  for_each_layout([&](const table_layout& layout) { check_layout(*parser, layout); });
  check_layout(*parser, layout_of<error_image>);
}

TEST_CASE("schema: session.fbs lists the kinds in their order") {
  auto parser = make_parser();
  std::vector<std::string> in_code, in_schema;
  for_each_layout([&](const table_layout& layout) { in_code.push_back(schema_name(layout)); });
  for (const auto* table : parser->structs_.vec) in_schema.push_back(type_name(table));
  REQUIRE(in_schema.size() > in_code.size());
  CHECK(std::vector(in_schema.end() - static_cast<std::ptrdiff_t>(in_code.size()),
                    in_schema.end()) == in_code);
}

TEST_CASE("schema: what one implementation writes the other reads") {
  check_with_witness(samples::to_agents(), [](const bytes& b) { return decode_to_agent(b); });
  check_with_witness(samples::to_sessions(), [](const bytes& b) { return decode_to_session(b); });
}

TEST_CASE("schema: an empty table of theirs is a message of ours with its defaults") {
  auto parser = make_parser();
  for (const auto& [named, message] : {std::pair<const char*, to_agent>{"hello", hello{}},
                                       {"require", require{}},
                                       {"lease", lease{}},
                                       {"submit", submit{}}}) {
    const char* name = named;
    CAPTURE(name);
    REQUIRE(parser->SetRootType((schema_namespace + name).c_str()));
    REQUIRE(
        parser->ParseJson(name == std::string("submit") ? "{\"what\": {\"options\": {}}}" : "{}"));
    auto encoded = encode(message);
    REQUIRE(encoded.has_value());
    bytes theirs(encoded->begin(), encoded->begin() + header_bytes);
    auto begin = reinterpret_cast<const std::byte*>(parser->builder_.GetBufferPointer());
    theirs.insert(theirs.end(), begin, begin + parser->builder_.GetSize());
    auto decoded = decode_to_agent(theirs);
    REQUIRE(decoded.has_value());
    CHECK(samples::same(*decoded, message));
    // And their defaults are ours: what they leave out where it has its default, we have.
    std::string text, ours;
    REQUIRE(flatbuffers::GenerateText(*parser, parser->builder_.GetBufferPointer(), &text));
    const bytes body(encoded->begin() + header_bytes, encoded->end());
    REQUIRE(flatbuffers::GenerateText(*parser, body.data(), &ours));
    CHECK(text == ours);
  }
}
}  // namespace
