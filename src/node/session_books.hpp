// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a session knows, shared with the values that arrived through it. One mutex guards all of it.
// It is never held in a call of the host, of a `fetched` or of a keeper; messages are sent under
// it, so that they leave in the order of the books.

#include <atomic>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "node/carver.hpp"
#include "node/index_reader.hpp"
#include "node/session.hpp"
#include "node/session_refs.hpp"
#include "ports/shared_memory.hpp"
#include "ports/threads.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

struct session_books : std::enable_shared_from_this<session_books> {
  /// Leases are asked for in this size, which doubles from grant to grant; more only where one
  /// block needs it.
  static constexpr std::uint64_t lease_bytes_min = std::uint64_t{1} << 20;
  static constexpr std::uint64_t lease_bytes_max = std::uint64_t{8} << 20;
  /// What a generous lease may take before one of just the size needed is asked for.
  static constexpr base::time_ns patience_ns = 100'000'000;
  /// Past a deadline the agent gets so long to say what was missing, which we could not.
  static constexpr base::time_ns grace_ns = 100'000'000;
  /// Who waits looks after the backlog so often.
  static constexpr base::time_ns slice_ns = 50'000'000;
  /// Who need not wait looks after what has come, and what is to be sent, so often.
  static constexpr base::time_ns between_looks_ns = 10'000'000;

  struct segment {
    ports::mapped_memory memory;
    bool writable = false;
    bool whole = false;          // one block, and no longer writable when that is an object
    ports::descriptor writer{};  // of a whole one, until then
    bool gone = false;           // the agent wants it unmapped
    std::size_t uses = 0;        // blocks and values that point into it
  };
  /// An object in a block that the carver still counts as being built: nobody else writes there.
  struct kept_block {
    std::uint64_t size = 0;
    bool gone = false;  // the object is
  };
  using place = std::pair<std::uint32_t, std::uint64_t>;  // segment, offset
  static place place_of(const wire::extent& where) { return {where.segment, where.offset}; }
  struct request {
    std::vector<object_id> objects;
    std::vector<arrived> got;  // a long answer comes in parts
    session::fetched then;
  };
  struct lease_request {
    std::uint64_t bytes = 0;   // of the block
    bool whole = false;        // which is to have a segment of its own
    bool generous = false;     // may ask for more than that
    std::uint64_t ticket = 0;  // 0: not asked
    bool answered = false;
    error why{};
    std::optional<block> got{};
  };
  using named_then = std::function<void(object_id, error)>;
  using answer_then = std::function<void(error)>;

  explicit session_books(session_host& h) : host(&h) {}

  // -- memory that runs out, without the lock. All work on the books goes through these two.

  /// False: memory ran out in `body`, or had before. The books are half made, and the session is
  /// lost.
  template <class F>
  bool keep(F&& body) noexcept {
    if (!half_made.load(std::memory_order_relaxed) && sched::try_allocate(body)) return true;
    std::lock_guard hold(lock);
    lose();
    return false;
  }
  /// The same for what returns a result: why it is lost then.
  template <class F>
  auto kept_answer(F&& body) noexcept -> decltype(body()) {
    std::optional<decltype(body())> answer;
    if (keep([&] { answer.emplace(body()); })) return *std::move(answer);
    std::lock_guard hold(lock);
    return dead;
  }

  // -- sending; all with the lock held (session_books.cpp)

  /// What must arrive: waits in the backlog where the agent does not take it.
  void post(wire::to_agent message);
  /// What may be refused to the caller.   Errors: agent_lost, queue_full, too_large.
  result<void> ask(wire::to_agent message);
  void drain();  ///< backlog, unpins, releases: as much as the agent takes
  void flush_if_many();
  void give_back(const std::optional<wire::extent>& lease);
  bool send(const wire::to_agent& message);
  /// Nothing can be said any more, for want of memory: who reads will tell everybody.
  void lose() noexcept;
  bool is_dead() const noexcept { return dead.code() != errc::ok; }
  bool forked() const { return generation != ports::fork_generation(); }  ///< without the lock

  // -- values and memory, with the lock held

  std::optional<arrived> take(wire::object_here&& object, std::uint32_t slot = 0);
  /// One that is held and can be read without asking for it.
  std::optional<arrived> take_shown(const object_id& id);
  std::optional<block> carve(std::uint64_t bytes);
  block block_at(const wire::extent& where);
  result<void> close(const wire::extent& where);
  /// Asks for memory, or does nothing where an answer is awaited that will do.
  result<void> ask_for_lease(lease_request& r, base::time_ns until_ns);
  /// Takes the lock itself, and waits without it.
  result<block> await_block(lease_request& r, base::time_ns timeout_ns);
  void forget_lease(const lease_request& r);
  void unuse(std::uint32_t segment);
  void announce();
  void unmap(std::map<std::uint32_t, segment>::iterator at);
  /// The object there is gone. Returns a lease that is of no more use.
  std::optional<wire::extent> take_back(const wire::extent& object);
  wire::value encode(made&& what, std::vector<wire::extent>& leases);
  std::optional<wire::to_agent> as_failed(const wire::to_agent& unsent, const error& why);

  // -- without the lock

  /// All of them, as they would be answered, without a message; or none: the agent has to be asked.
  std::optional<std::vector<arrived>> take_shown(std::span<const object_id> objects);
  /// The end: answers everybody, once, with `why` unless another reason came before.
  void end(error why, bool tell_host);
  /// Until `word` is not `seen`, reading where this thread has to. False: the time has passed.
  bool wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, base::time_ns until_ns);

  // -- messages, by kind (session_messages.cpp), without the lock

  void on(wire::welcome&& m);
  void on(wire::refused&& m);
  void on(wire::sealed&& m);
  void on(wire::here&& m);
  void on(wire::leased&& m);
  void on(wire::new_segment&& m, ports::descriptor descriptor);
  void on(wire::segment_gone&& m);
  void on(wire::returned&& m);
  void on(wire::execute&& m);
  void on(wire::abort_call&& m);
  void on(wire::pressure&& m);
  void on(wire::named&& m);
  void on(wire::actor_ended&& m);
  void on(wire::drain&& m);
  void on(wire::lent&& m);
  void on(wire::recall&& m) { host->on_recall(m.needs); }
  void on(wire::status&&) {}  // nobody here asks for it
  void on(wire::traced&& m);

  std::atomic<base::time_ns> looks_at_ns{0};
  std::atomic<std::uint64_t> told{0};  // the thread that hands over what came; 0: none
  const std::uint32_t generation = ports::fork_generation();
  std::mutex lock;
  session_host* const host;
  std::shared_ptr<agent_link> link;  // a waiting thread keeps it too
  std::function<base::time_ns()> now_ns = [] { return base::time_ns{0}; };
  std::array<std::uint64_t, 2> secret{};

  std::atomic<bool> half_made{false};  // memory ran out while the lock was held
  bool given_up = false;
  error dead;          // why nothing can be sent any more; errc::ok: it can
  bool ended = false;  // all have been told
  bool is_welcome = false;
  wire::welcome welcome;  // not changed after is_welcome
  std::atomic<std::uint64_t> minted{0};
  std::atomic<std::uint32_t> news{0};  // counts what open() and allocate() wait for
  std::uint32_t waiting = 0;           // threads in those

  std::deque<wire::to_agent> backlog;
  std::vector<object_id> unpins;
  std::uint64_t unpinned_bytes = 0;
  ref_counts refs;
  index_reader index;
  std::map<std::uint32_t, segment> segments;
  carver memory;
  std::map<place, kept_block> kept;
  std::uint64_t lease_bytes = lease_bytes_min;
  std::uint64_t tickets = 0;
  std::map<std::uint64_t, request> requests;
  std::map<std::uint64_t, lease_request*> leases_asked;  // on the stacks of those who wait
  std::map<std::uint64_t, named_then> names_asked;
  std::map<std::uint64_t, answer_then> answers_due;  // with a word, of nothing else
};

/// The lock of the books. Who comes after an exception that passed it finds them marked.
class books_lock : public std::unique_lock<std::mutex> {
 public:
  explicit books_lock(session_books& books)
      : unique_lock(books.lock), books_(books), thrown_(std::uncaught_exceptions()) {}
  books_lock(const books_lock&) = delete;
  books_lock& operator=(const books_lock&) = delete;
  ~books_lock() {
    if (owns_lock() && std::uncaught_exceptions() > thrown_)
      books_.half_made.store(true, std::memory_order_relaxed);
  }

 private:
  session_books& books_;
  const int thrown_;
};

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
