// SPDX-License-Identifier: Apache-2.0
// One text for OpenCL C 1.2 and for GLSL 450 (as SPIR-V 1.3): what a kernel in dual/ is written in.
// A kernel may use what both languages have, and these macros for the rest:
//
//   PARAMETERS(uint count; float a;)             members of 4 bytes, read as p.count
//   CONSTANT(2, kind, 0)                         compiled in; 0 and 1 are the group's size
//   KERNEL(name, IN(0, f32, x) IN(1, T, y) OUT(2, T, z), LOCAL(float, sums, 256))
//     ...
//   END
//     Beside LOCAL: ALIAS_IN(0, u8, x8, x) and ALIAS_OUT, the same buffer as numbers of another type
//   ITEM(d) GROUP(d) GLOBAL(d)                   this item in its group, its group, among all
//   GROUP_SIZE(d)                                items of a group: constants, as in LOCAL(..)
//   GLOBAL_COUNT(d) GROUP_COUNT(d)               how many items, how many groups there are
//   BARRIER                                      all items of a group come to it
//   READ(T, x, i), WRITE(T, z, i, value)         a number of x as float, and back
//   READ4, WRITE4                                four side by side, from any index
//   READI, WRITEI                                the same as int
//   vec2, vec3, vec4; VEC2(a, b), VEC4(a, b, c, d), SPLAT4(a); FLOAT(n), INT(x), UINT(x)
//   BITS(x), FLOAT_OF(bits)                      a float's bits as uint
//   ROUND(x)                                     halves to the even number
//   IS_NAN(x)                                    by its bits: a compiler may take x == x for true
//   ATOMIC_ADD(x, i, n)                          x[i] += n of int, in LOCAL or in a buffer of i32
//
// T is f32, f16, u8, i8, u16, i32 or u32: what memory holds (u16 has but READI and WRITEI). Functions that the kernel calls come before
// KERNEL, and take no buffers. Groups of more than two dimensions are not used.

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define READ(T, x, i) PASTE(READ_, T)(x, i)
#define WRITE(T, x, i, value) PASTE(WRITE_, T)(x, i, value)
#define READ4(T, x, i) PASTE(READ4_, T)(x, i)
#define WRITE4(T, x, i, value) PASTE(WRITE4_, T)(x, i, value)
#define IS_NAN(x) ((BITS(x) & 0x7fffffffu) > 0x7f800000u)
#define READI(T, x, i) INT(x[i])
#define WRITEI(T, x, i, value) x[i] = PASTE(STORED_, T)(value)

#ifdef __OPENCL_VERSION__

typedef float2 vec2;
typedef float3 vec3;
typedef float4 vec4;
#define VEC2(a, b) ((float2)(a, b))
#define VEC4(a, b, c, d) ((float4)(a, b, c, d))
#define SPLAT4(a) ((float4)(a))
#define FLOAT(n) ((float)(n))
#define INT(x) ((int)(x))
#define UINT(x) ((uint)(x))
#define ROUND(x) rint(x)
#define BITS(x) as_uint(x)
#define FLOAT_OF(bits) as_float(bits)
#define ATOMIC_ADD(x, i, n) atomic_add(&x[i], n)

#define MEMORY_f32 float
#define MEMORY_f16 half
#define MEMORY_u8 uchar
#define MEMORY_i8 char
#define MEMORY_u16 ushort
#define MEMORY_i32 int
#define MEMORY_u32 uint
#define STORED_u8(v) ((uchar)(v))
#define STORED_i8(v) ((char)(v))
#define STORED_u16(v) ((ushort)(v))
#define STORED_i32(v) ((int)(v))
#define STORED_u32(v) ((uint)(v))

#define PARAMETERS(members) struct parameters { members };
#define CONSTANT(id, name, value) enum { name = PASTE(CONSTANT_, id) };
#define IN(i, T, x) , __global const PASTE(MEMORY_, T)* restrict x
#define OUT(i, T, x) , __global PASTE(MEMORY_, T)* restrict x
#define ALIAS_IN(i, T, x, of) __global const PASTE(MEMORY_, T)* x = (__global const PASTE(MEMORY_, T)*)of;
#define ALIAS_OUT(i, T, x, of) __global PASTE(MEMORY_, T)* x = (__global PASTE(MEMORY_, T)*)of;
#define LOCAL(type, x, n) __local type x[n];
#define KERNEL(name, buffers, locals)                                                      \
  __kernel __attribute__((reqd_work_group_size(CONSTANT_0, CONSTANT_1, 1))) void name(     \
      const struct parameters p buffers) {                                                 \
    locals
#define END }
#define ITEM(d) ((uint)get_local_id(d))
#define GROUP(d) ((uint)get_group_id(d))
#define GLOBAL(d) ((uint)get_global_id(d))
#define GLOBAL_COUNT(d) ((uint)get_global_size(d))
#define GROUP_COUNT(d) ((uint)get_num_groups(d))
#define GROUP_SIZE(d) PASTE(CONSTANT_, d)
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)

#define READ_f32(x, i) x[i]
#define WRITE_f32(x, i, v) x[i] = (v)
#define READ4_f32(x, i) vload4(0, (x) + (i))
#define WRITE4_f32(x, i, v) vstore4(v, 0, (x) + (i))
#define READ_f16(x, i) vload_half(i, x)
#define WRITE_f16(x, i, v) vstore_half_rte(v, i, x)
#define READ4_f16(x, i) VEC4(vload_half(i, x), vload_half((i) + 1, x), vload_half((i) + 2, x), vload_half((i) + 3, x))
#define WRITE4_f16(x, i, v) \
  { vstore_half_rte((v).x, i, x); vstore_half_rte((v).y, (i) + 1, x); vstore_half_rte((v).z, (i) + 2, x); vstore_half_rte((v).w, (i) + 3, x); }
#define READ_u8(x, i) ((float)(x)[i])
#define READ_i8(x, i) ((float)(x)[i])
#define READ_i32(x, i) ((float)(x)[i])
#define READ_u32(x, i) ((float)(x)[i])
#define READ4_u8(x, i) convert_float4(vload4(0, (x) + (i)))
#define READ4_i8(x, i) convert_float4(vload4(0, (x) + (i)))

#else

#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require

#define VEC2(a, b) vec2(a, b)
#define VEC4(a, b, c, d) vec4(a, b, c, d)
#define SPLAT4(a) vec4(a)
#define FLOAT(n) float(n)
#define INT(x) int(x)
#define UINT(x) uint(x)
#define ROUND(x) roundEven(x)
#define fabs(x) abs(x)
#define BITS(x) floatBitsToUint(x)
#define FLOAT_OF(bits) uintBitsToFloat(bits)
#define ATOMIC_ADD(x, i, n) atomicAdd(x[i], n)

#define MEMORY_f32 float
#define MEMORY_f16 float16_t
#define MEMORY_u8 uint8_t
#define MEMORY_i8 int8_t
#define MEMORY_u16 uint16_t
#define MEMORY_i32 int
#define MEMORY_u32 uint
#define STORED_u8(v) uint8_t(v)
#define STORED_i8(v) int8_t(v)
#define STORED_u16(v) uint16_t(v)
#define STORED_i32(v) int(v)
#define STORED_u32(v) uint(v)

#define PARAMETERS(members) layout(push_constant) uniform parameters { members } p;
#define CONSTANT(id, name, value) layout(constant_id = id) const int name = value;
#define IN(i, T, x) layout(set = 0, binding = i) readonly buffer PASTE(x, _memory) { PASTE(MEMORY_, T) x[]; };
#define OUT(i, T, x) layout(set = 0, binding = i) buffer PASTE(x, _memory) { PASTE(MEMORY_, T) x[]; };
#define ALIAS_IN(i, T, x, of) IN(i, T, x)
#define ALIAS_OUT(i, T, x, of) OUT(i, T, x)
#define LOCAL(type, x, n) shared type x[n];
#define KERNEL(name, buffers, locals)                      \
  layout(local_size_x_id = 0, local_size_y_id = 1) in;     \
  buffers locals void main() {
#define END }
#define ITEM(d) gl_LocalInvocationID[d]
#define GROUP(d) gl_WorkGroupID[d]
#define GLOBAL(d) gl_GlobalInvocationID[d]
#define GROUP_COUNT(d) gl_NumWorkGroups[d]
#define GLOBAL_COUNT(d) (gl_NumWorkGroups[d] * gl_WorkGroupSize[d])
#define GROUP_SIZE(d) gl_WorkGroupSize[d]
#define BARRIER barrier()

#define READ_f32(x, i) x[i]
#define WRITE_f32(x, i, v) x[i] = (v)
#define READ_f16(x, i) float(x[i])
#define WRITE_f16(x, i, v) x[i] = float16_t(v)
#define READ_u8(x, i) float(uint(x[i]))
#define READ_i8(x, i) float(int(x[i]))
#define READ_i32(x, i) float(x[i])
#define READ_u32(x, i) float(x[i])
#define READ4_(T, x, i) vec4(READ(T, x, i), READ(T, x, (i) + 1), READ(T, x, (i) + 2), READ(T, x, (i) + 3))
#define READ4_f32(x, i) vec4(x[i], x[(i) + 1], x[(i) + 2], x[(i) + 3])
#define READ4_f16(x, i) vec4(x[i], x[(i) + 1], x[(i) + 2], x[(i) + 3])
#define READ4_u8(x, i) vec4(READ_u8(x, i), READ_u8(x, (i) + 1), READ_u8(x, (i) + 2), READ_u8(x, (i) + 3))
#define READ4_i8(x, i) vec4(READ_i8(x, i), READ_i8(x, (i) + 1), READ_i8(x, (i) + 2), READ_i8(x, (i) + 3))
#define WRITE4_f32(x, i, v) { x[i] = (v).x; x[(i) + 1] = (v).y; x[(i) + 2] = (v).z; x[(i) + 3] = (v).w; }
#define WRITE4_f16(x, i, v) { x[i] = float16_t((v).x); x[(i) + 1] = float16_t((v).y); x[(i) + 2] = float16_t((v).z); x[(i) + 3] = float16_t((v).w); }

#endif
