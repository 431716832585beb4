// SPDX-License-Identifier: Apache-2.0
#pragma once

// `rt.task(f).options({...}).remote(arguments...)`.

#include <beamlet/runtime/call_cell.hpp>
#include <beamlet/runtime/options.hpp>

#include <tuple>
#include <utility>

namespace beamlet {
inline namespace BEAMLET_ABI {

namespace detail {

/// The cell of a task: what call_cell has, and the callable.
template <class F, class R, class Pack>
struct task_cell final : call_cell<task_cell<F, R, Pack>, R, Pack> {
  using base = call_cell<task_cell<F, R, Pack>, R, Pack>;

  template <class G, class... A>
  explicit task_cell(G&& g, A&&... a) : base(std::forward<A>(a)...), body(std::forward<G>(g)) {}

  decltype(auto) apply(bool keep) {
    return this->arguments.apply(
        keep, [this](auto&&... a) -> R { return body(std::forward<decltype(a)>(a)...); });
  }

  static bool export_call(cell& x, sched::exported_call& out) {
    if constexpr (std::is_pointer_v<F>) {
      auto& me = static_cast<task_cell&>(x);
      return export_pack(x, function_key(me.body), me.arguments, out);
    } else {
      (void)x, (void)out;  // a lambda runs in this process only
      return false;
    }
  }

  static constexpr sched::cell_ops table{
      .enter = sched::enter_task,
      .run = base::run,
      .unready = Pack::awaited > 0 ? &base::unready : nullptr,
      .drop_arguments = base::trivial ? nullptr : &base::drop_arguments,
      .destroy = base::destroy,
      .encode = encode_value<stored<value_of<R>>>,
      .decode = decode_value<stored<value_of<R>>>,
      .export_call = export_call,
      .drop_value = drop_value<stored<value_of<R>>>,
      .place = place_value<stored<value_of<R>>>(),
  };

  [[no_unique_address]] F body;
};

template <class T>
ref<T> refused_ref(const sched::context* here) {
  if (here == nullptr) return failed_ref<T>(error(errc::no_memory, error_layer::runtime));
  return failed_ref<T>(sched::refuse(*here));
}

/// Makes the cell; null with `why` when the memory could not be had or a copy of an argument threw.
template <class C, class... A>
C* make_call(error& why, A&&... a) noexcept {
  void* memory = sched::pool_get<sizeof(C), C::block_align>();
  if (memory == nullptr) {
    why = error(errc::no_memory, error_layer::runtime);
    return nullptr;
  }
#if BEAMLET_HAS_EXCEPTIONS
  try {
#endif
    return new (memory) C(std::forward<A>(a)...);
#if BEAMLET_HAS_EXCEPTIONS
  } catch (const std::bad_alloc&) {
    why = error(errc::no_memory, error_layer::runtime);
  } catch (...) {
    why = error(errc::user_exception, error_layer::user, {"copying an argument threw", "", "", ""});
  }
  sched::pool_put<sizeof(C), C::block_align>(memory);
  return nullptr;
#endif
}

/// What every cell that enters the scheduler is told. Owns two references: the queue's and the
/// ref's.
inline void fill_header(cell& x, sched::context& here, const sched::cell_ops& ops,
                        std::uint32_t references) noexcept {
  x.references.store(references, std::memory_order_relaxed);
  x.ops = &ops;
  x.home = &here.home();
  x.submitter = here.current;
  x.generation = here.current->generation.load(std::memory_order_relaxed);
}

/// The options of one task, checked and in the scheduler's terms. Returns the error that refuses
/// the task.
result<sched::cell_extra*> make_task_extra(sched::context& here, const task_options& options,
                                           bool copies);

template <class F>
sched::function_identity identify(const F& f) noexcept {
  return {function_key(f), &sched::spelled_type<F>};
}

/// REQUIRES: no awaited argument is an empty ref.
template <class C>
void submit_cell(sched::context& here, C& x, bool special) noexcept {
  using pack = decltype(x.arguments);
  sched::count_submission(here);
  std::uint32_t flags = special ? cell::special : 0;
  if constexpr (pack::awaited > 0) {
    constexpr auto awaited = static_cast<std::uint32_t>(pack::awaited);
    x.unmet.store(flags | (1 + awaited), std::memory_order_relaxed);
    std::uint32_t over = 1 + x.await_arguments(here);
    if (over != 1 + awaited || special || here.face->has_engine) {
      std::uint32_t before = x.unmet.fetch_sub(over, std::memory_order_acq_rel);
      if ((before & cell::count_mask) == over) sched::become_ready(x, before);
      return;
    }
    x.unmet.store(flags,
                  std::memory_order_relaxed);  // all are ready and nobody else knows the cell
  } else {
    if (flags != 0) x.unmet.store(flags, std::memory_order_relaxed);
    if (special || here.face->has_engine) return sched::submit_special(here, x);
  }
  sched::schedule(here, x);
}

template <class F, class... A>
auto submit_task(sched::scheduler& home, const task_options* options, F&& f, A&&... a) {
  using function = std::decay_t<F>;
  using types = call_types<function, A...>;
  using raw = typename types::raw_result;
  using value = value_of<raw>;
  using pack = typename pack_of<typename types::parameters, A...>::type;
  using C = task_cell<function, raw, pack>;

  sched::context* here = sched::context_in(home);
  if (here == nullptr || !sched::accepts(*here)) [[unlikely]]
    return refused_ref<value>(here);
  if (!(is_given(a) && ...)) [[unlikely]]
    return failed_ref<value>(error(errc::invalid_ref, error_layer::runtime,
                                   {"an argument is an empty ref", "", "", ""}));
  std::uint32_t index = sched::function_index(*here, identify(f));
  sched::cell_extra* extra = nullptr;
  if (options != nullptr) {
    auto made = make_task_extra(*here, *options, pack::copies);
    if (!made.has_value()) return failed_ref<value>(std::move(made).error());
    extra = *made;
    if (extra != nullptr && !extra->name.empty()) index = sched::named_function(*here, extra->name);
  }
  error why;
  C* x = make_call<C>(why, std::forward<F>(f), std::forward<A>(a)...);
  if (x == nullptr) {
    sched::destroy_extra(extra);
    return failed_ref<value>(std::move(why));
  }
  fill_header(*x, *here, C::table, 2);
  x->function = index;
  if (extra != nullptr) x->extra.store(extra, std::memory_order_relaxed);
  submit_cell(*here, *x, extra != nullptr);
  return ref_access::adopt<value>(x);
}

/// A generator function, given the stream of one call.
template <class F, class R, class Parameters>
struct generator_call;
template <class F, class T, class... P>
struct generator_call<F, generator<T>, std::tuple<P...>> {
  F function;
  stream_state* stream;  // counted
  generator_call(F f, stream_state* s) : function(std::move(f)), stream(s) { s->add_reference(); }
  generator_call(generator_call&& o) noexcept
      : function(std::move(o.function)), stream(std::exchange(o.stream, nullptr)) {}
  ~generator_call() {
    if (stream != nullptr) stream->release();
  }
  started_generator<T> operator()(P... p) { return {function(std::forward<P>(p)...), stream}; }
};

template <class F, class... A>
auto submit_generator(sched::scheduler& home, const task_options* options, std::size_t items_max,
                      F&& f, A&&... a) {
  using function = std::decay_t<F>;
  using types = call_types<function, A...>;
  using item = typename types::raw_result::value_type;
  using bound = generator_call<function, typename types::raw_result, typename types::parameters>;
  auto* stream = new (std::nothrow) stream_state;
  if (stream == nullptr) return ref_stream<item>();
  stream->items_max = std::clamp<std::size_t>(items_max, 1, stream_items_max);
  task_options named = options != nullptr ? *options : task_options{};
  if (named.name.empty()) named.name = sched::registered_name(function_key(f));
  ref<void> completion =
      submit_task(home, &named, bound(std::forward<F>(f), stream), std::forward<A>(a)...);
  stream->watch(*ref_access::cell(completion));
  return ref_stream<item>(stream, std::move(completion));
}

}  // namespace detail

/// One call being put together: `rt.task(f)`. Cheap; nothing happens before `remote`.
template <class F>
class task_builder {
 public:
  task_builder(sched::scheduler& home, F function) : home_(&home), function_(std::move(function)) {}

  /// Ray's options by name: `.options({.num_cpus = 0.5, .max_retries = 3})`.
  auto options(task_options o) &&;
  /// Items that a generator may be ahead of its consumer.
  task_builder&& backpressure(std::size_t items_max) && {
    items_max_ = items_max;
    return std::move(*this);
  }

  /// Submits the call and returns at once. A `ref<T>` given to a parameter `T` is waited for, and
  /// the call fails with it; given to a parameter `ref<T>` it arrives as it is. Returns `ref<T>`
  /// for functions returning T, result<T> or async<T>, `ref_stream<T>` for generator<T>.
  ///
  /// Thread: any.   Blocks: no.   Cost: one block of memory, some tens of nanoseconds.
  /// Errors: a refusal (stopped, queue_full, infeasible, no_memory, invalid_argument) is a ref that
  /// has failed. Lifetime: arguments are copied or moved into the call; the task runs also when the
  /// ref is dropped.
  template <class... A>
  auto remote(A&&... a) && {
    return start(nullptr, std::forward<A>(a)...);
  }

 protected:
  template <class... A>
  auto start(const task_options* o, A&&... a) {
    using types = detail::call_types<F, A...>;
    if constexpr (detail::is_generator<typename types::raw_result>)
      return detail::submit_generator(*home_, o, items_max_, std::move(function_),
                                      std::forward<A>(a)...);
    else return detail::submit_task(*home_, o, std::move(function_), std::forward<A>(a)...);
  }

  sched::scheduler* home_;
  std::size_t items_max_ = stream_items_default;
  [[no_unique_address]] F function_;
};

/// The same with options.
template <class F>
class configured_task : task_builder<F> {
 public:
  configured_task(task_builder<F> t, task_options o)
      : task_builder<F>(std::move(t)), options_(std::move(o)) {}
  configured_task&& backpressure(std::size_t items_max) && {
    this->items_max_ = items_max;
    return std::move(*this);
  }
  template <class... A>
  auto remote(A&&... a) && {
    return this->start(&options_, std::forward<A>(a)...);
  }

 private:
  task_options options_;
};

template <class F>
auto task_builder<F>::options(task_options o) && {
  return configured_task<F>(std::move(*this), std::move(o));
}

}  // namespace BEAMLET_ABI
}  // namespace beamlet
