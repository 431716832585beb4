// SPDX-License-Identifier: Apache-2.0
#include "node/agent_thread.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "node/child.hpp"
#include "node/link_error.hpp"
#include "node/local_link.hpp"
#include "node/socket_link.hpp"
#include "ports/local_socket.hpp"
#include "ports/processes.hpp"
#include "ports/uv/uv_port.hpp"
#include "sched/no_throw.hpp"

namespace beamlet {
inline namespace BEAMLET_ABI {
namespace node {

namespace {
constexpr base::time_ns look_ns = 20'000;  // about as long as a thread takes to be woken

error agent_stopped() { return error(errc::stopped, error_layer::node); }

agent::behind peer_of(std::uint32_t process) {
  return {.process = process, .program = ports::program_identity(process)};
}

error no_such_program() {
  return link_error(errc::unsupported,
                    "no program that is attached to this box has the task's function and can be "
                    "started as a worker process (it has ended, or its main does not begin with "
                    "beamlet::run_child(argc, argv))");
}

}  // namespace

// Everything but post() and its like on the agent's thread.
class agent_thread::driver final : public outer_world, public link_events {
 public:
  driver(std::unique_ptr<ports::port> port, agent_thread_options options)
      : port_(std::move(port)), options_(std::move(options)) {}

  void run();
  void serve();
  result<void> post(std::function<void(driver&)> what);
  void stop();

  ports::port& port() { return *port_; }
  node::agent& agent() { return *agent_; }
  void add_local(std::shared_ptr<local_channel> channel, std::unique_ptr<session_link> end);
  void add_listener(std::shared_ptr<ports::local_listener> listener);

  void start_worker(const worker_wish& wish) override { wishes_.push_back(wish); }
  bool has_ended(const std::string& life) const override { return ports::life_has_ended(life); }
  void kill_worker(std::uint32_t session) override;
  ports::memory_use memory() const override {
    return options_.memory ? options_.memory() : ports::used_memory();
  }
  std::uint64_t memory_of(std::uint32_t session) const override {
    auto found = processes_.find(session);
    return found != processes_.end() ? ports::private_bytes(found->second->peer.process) : 0;
  }
  void on_message(std::uint32_t session, wire::to_agent message) override {
    agent_->on_message(session, std::move(message));
  }
  void on_closed(std::uint32_t session, const error& why) override;

 private:
  // The process behind a session, if it can be watched. Members end in the right order: a watch
  // before its descriptor.
  struct watched_process {
    std::optional<ports::process> worker;  // one of ours
    ports::descriptor other;               // else one that connected
    agent::behind peer;
    std::unique_ptr<ports::watch> watch;
    bool ended = false;
    base::time_ns kill_ns = base::never_ns;

    static void on_ended(void* user, unsigned) {
      auto& self = *static_cast<watched_process*>(user);
      self.ended = true;
      self.watch->want(0);
    }
    std::optional<ports::process_end> how_it_ended() {
      if (!ended) return std::nullopt;
      if (!worker) return ports::process_end{};
      auto end = worker->poll();
      // On an old kernel its descriptor may be ready a little before its end can be asked for.
      if (!end) watch->want(ports::ready_to_read);
      return end;
    }
  };

  struct local_session {
    std::uint32_t session = 0;
    std::shared_ptr<local_channel> channel;
    bool closed = false;
  };
  struct listening {
    driver* self = nullptr;
    std::shared_ptr<ports::local_listener> listener;
    std::unique_ptr<ports::watch> watch;
  };

  base::time_ns deadline_after(base::time_ns span) const {
    base::time_ns now = port_->now_ns();
    return now + std::min(span, base::never_ns - 1 - now);
  }
  bool finished();
  base::time_ns next_ns() const;
  void run_posted();
  void serve_local_sessions();
  bool is_local(std::uint32_t session) const {
    return std::any_of(locals_.begin(), locals_.end(),
                       [&](const local_session& each) { return each.session == session; });
  }
  void start_wished_workers();
  void serve_processes();
  result<void> start_wished(const worker_wish& wish);
  result<void> add_process(ports::local_socket socket, std::uint64_t pool,
                           std::unique_ptr<watched_process> process);
  void listen_again();
  void end_if_idle();
  static void on_connection(void* user, unsigned events);
  void accept(listening& at);
  void add_stranger(ports::local_socket socket);
  void end_everything();

  std::unique_ptr<ports::port> port_;
  agent_thread_options options_;
  std::unique_ptr<node::agent> agent_;

  std::vector<local_session> locals_;
  std::vector<worker_wish> wishes_;
  std::map<std::uint32_t, std::unique_ptr<watched_process>> processes_;
  std::vector<std::unique_ptr<listening>> listeners_;
  base::time_ns listen_again_ns_ = base::never_ns;  // descriptors had run out
  base::time_ns stop_ns_ = base::never_ns;          // asked to stop: the latest end
  base::time_ns idle_until_ns_ = base::never_ns;    // no program has a session: then it stops
  bool failed_ = false;                             // memory ran out here: as agent::failed()

  std::mutex lock_;  // of the rest, and held while the port is woken: it lives that long
  std::vector<std::function<void(driver&)>> posted_;
  bool stopping_ = false, stopped_ = false;
  error why_stopped_ = agent_stopped();
};

result<void> agent_thread::driver::post(std::function<void(driver&)> what) {
  std::lock_guard hold(lock_);
  if (stopping_) return why_stopped_;
  posted_.push_back(std::move(what));
  port_->wake();
  return {};
}

void agent_thread::driver::stop() {
  std::lock_guard hold(lock_);
  stopping_ = true;
  if (!stopped_) port_->wake();
}

void agent_thread::driver::run() {
  failed_ = !sched::try_allocate([this] { serve(); });
  end_everything();
  if (options_.on_end) options_.on_end();
}

void agent_thread::driver::serve() {
  agent_ = std::make_unique<node::agent>(*port_, *this, options_.agent);
  if (options_.idle_end_ns != base::never_ns) {
    idle_until_ns_ = deadline_after(std::max(options_.idle_end_ns, options_.first_session_ns));
  }
  std::uint64_t heard = 0;
  base::time_ns looks_until_ns = 0;
  const bool may_look = ports::usable_cpus() > 1;
  while (!finished()) {
    // Who has just said something often says more: it need not wake this thread then.
    if (may_look && agent_->heard() != heard) {
      heard = agent_->heard();
      looks_until_ns = port_->now_ns() + look_ns;
    }
    bool looks = looks_until_ns != 0 && port_->now_ns() < looks_until_ns;
    if (!looks) looks_until_ns = 0;
    port_->turn(looks ? 0 : next_ns());
    run_posted();
    serve_local_sessions();
    start_wished_workers();
    serve_processes();
    listen_again();
    agent_->advance();
    end_if_idle();
  }
}

void agent_thread::driver::end_if_idle() {
  if (options_.idle_end_ns == base::never_ns || stop_ns_ != base::never_ns) return;
  if (agent_->programs() > 0) {
    idle_until_ns_ = base::never_ns;
  } else if (idle_until_ns_ == base::never_ns) {
    idle_until_ns_ = deadline_after(options_.idle_end_ns);
  } else if (port_->now_ns() >= idle_until_ns_) {
    stop();
  }
}

bool agent_thread::driver::finished() {
  if (failed_ || agent_->failed()) return true;
  if (stop_ns_ == base::never_ns) {
    {
      std::lock_guard hold(lock_);
      if (!stopping_) return false;
    }
    stop_ns_ = deadline_after(options_.worker_end_ns);
    listeners_.clear();
    agent_->drain();
  }
  auto is_worker = [](const auto& each) { return each.second->worker.has_value(); };
  return port_->now_ns() >= stop_ns_ ||
         std::none_of(processes_.begin(), processes_.end(), is_worker);
}

base::time_ns agent_thread::driver::next_ns() const {
  if (!wishes_.empty()) return 0;
  base::time_ns next = std::min({agent_->next_ns(), stop_ns_, listen_again_ns_});
  if (stop_ns_ == base::never_ns) next = std::min(next, idle_until_ns_);
  for (const auto& each : processes_) next = std::min(next, each.second->kill_ns);
  return next;
}

void agent_thread::driver::run_posted() {
  std::vector<std::function<void(driver&)>> posted;
  {
    std::lock_guard hold(lock_);
    posted.swap(posted_);
  }
  for (auto& each : posted) each(*this);
}

// -- sessions of this process

void agent_thread::driver::add_local(std::shared_ptr<local_channel> channel,
                                     std::unique_ptr<session_link> end) {
  std::uint32_t session = agent_->add_session(std::move(end), 0, peer_of(ports::process_id()));
  locals_.push_back({.session = session, .channel = std::move(channel)});
}

void agent_thread::driver::serve_local_sessions() {
  for (local_session& each : locals_) {
    if (!each.closed) each.closed = !each.channel->hand_over(*agent_, each.session);
  }
  // What stands for the end of its process is that nobody is left to use what it was given.
  std::erase_if(locals_, [this](const local_session& each) {
    bool over = each.closed && each.channel->session_gone();
    if (over) agent_->process_ended(each.session, 0, "has left");
    return over;
  });
}

// -- worker processes, and the processes behind other sessions

void agent_thread::driver::start_wished_workers() {
  for (const worker_wish& wish : std::exchange(wishes_, {})) {
    auto started = start_wished(wish);
    if (!started.has_value()) agent_->worker_failed(wish.pool, std::move(started).error());
  }
}

result<void> agent_thread::driver::start_wished(const worker_wish& wish) {
  if (stop_ns_ != base::never_ns) return agent_stopped();
  ports::spawn_options options;
  options.environment = wish.environment;
  options.cpu_seconds_max = wish.cpu_ms_max / 1000 + (wish.cpu_ms_max % 1000 != 0 ? 1 : 0);
  options.memory_bytes_max = wish.memory_max;
  // Another program's functions are in its file. It is looked up when it is needed, by the number
  // of a process that has not ended; a wrong one would be found out by its functions.
  auto submitter = processes_.find(wish.like);
  if (submitter != processes_.end())
    options.path = ports::program_of(submitter->second->peer.process);
  else if (!is_local(wish.like)) return no_such_program();
  BEAMLET_TRY(auto child, spawn_child(child_role::worker, options_.program, std::move(options)));
  auto process = std::make_unique<watched_process>();
  // The same file by construction, also where the system does not let us see it.
  process->peer =
      submitter != processes_.end() ? submitter->second->peer : peer_of(ports::process_id());
  process->peer.process = child.process.id();
  process->worker.emplace(std::move(child.process));
  return add_process(std::move(child.socket), wish.pool, std::move(process));
}

// A session by socket, and the process behind it. After an error there is neither.
result<void> agent_thread::driver::add_process(ports::local_socket socket, std::uint64_t pool,
                                               std::unique_ptr<watched_process> process) {
  int number = process->worker ? process->worker->end_descriptor() : process->other.number();
  BEAMLET_TRY(process->watch,
              port_->watch_descriptor(number, watched_process::on_ended, process.get()));
  process->watch->want(ports::ready_to_read);
  auto link = std::make_unique<socket_session_link>(*port_, std::move(socket));
  socket_session_link& link_itself = *link;
  std::uint32_t session = agent_->add_session(std::move(link), pool, process->peer);
  if (agent_->failed()) return error(errc::no_memory, error_layer::node);  // the link is gone
  processes_.emplace(session, std::move(process));
  auto started = link_itself.start(*this, session);
  if (!started.has_value()) on_closed(session, started.error());
  return {};
}

void agent_thread::driver::kill_worker(std::uint32_t session) {
  auto found = processes_.find(session);
  if (found != processes_.end() && found->second->worker) found->second->worker->kill();
}

void agent_thread::driver::on_closed(std::uint32_t session, const error& why) {
  agent_->on_closed(session, why);
  auto found = processes_.find(session);
  if (found == processes_.end() || !found->second->worker) return;
  found->second->kill_ns = deadline_after(options_.worker_end_ns);
}

void agent_thread::driver::serve_processes() {
  base::time_ns now = port_->now_ns();
  for (auto each = processes_.begin(); each != processes_.end();) {
    watched_process& process = *each->second;
    if (now >= process.kill_ns) {
      process.kill_ns = base::never_ns;
      process.worker->kill();
    }
    std::optional<ports::process_end> end = process.how_it_ended();
    if (!process.worker && !agent_->has(each->first)) {  // was not let in
      each = processes_.erase(each);
      continue;
    }
    if (!end) {
      ++each;
      continue;
    }
    std::uint32_t session = each->first;
    std::string how = process.worker ? ports::describe(*end) : "has ended";
    each = processes_.erase(each);
    agent_->process_ended(session, end->signal, std::move(how));
  }
}

// -- a named box

void agent_thread::driver::add_listener(std::shared_ptr<ports::local_listener> listener) {
  auto added = std::make_unique<listening>();
  added->self = this;
  added->listener = std::move(listener);
  auto made = port_->watch_descriptor(added->listener->number(), on_connection, added.get());
  if (!made.has_value()) return;
  added->watch = *std::move(made);
  added->watch->want(ports::ready_to_read);
  listeners_.push_back(std::move(added));
}

void agent_thread::driver::on_connection(void* user, unsigned) {
  auto& at = *static_cast<listening*>(user);
  if (!sched::try_allocate([&at] { at.self->accept(at); })) at.self->failed_ = true;
}

void agent_thread::driver::accept(listening& at) {
  auto accepted = at.listener->accept();
  if (!accepted.has_value()) {
    constexpr base::time_ns pause_ns = 100'000'000;  // until somebody may have closed something
    listen_again_ns_ = port_->now_ns() + pause_ns;
    at.watch->want(0);
  } else if (*accepted) {
    add_stranger(**std::move(accepted));
  }
}

void agent_thread::driver::listen_again() {
  if (port_->now_ns() < listen_again_ns_) return;
  listen_again_ns_ = base::never_ns;
  for (auto& each : listeners_) each->watch->want(ports::ready_to_read);
}

// Only programs of the same user, which could do to this one whatever they like, may come in.
void agent_thread::driver::add_stranger(ports::local_socket socket) {
  auto peer = socket.peer();
  if (!peer.has_value() || peer->user != ports::current_user()) return;
  auto process = socket.peer_process();
  if (!process.has_value()) return;  // memory that it could write might never be used again
  auto behind = std::make_unique<watched_process>();
  behind->other = *std::move(process);
  behind->peer = peer_of(peer->process);
  (void)add_process(std::move(socket), 0, std::move(behind));  // it sees that nobody answers
}

// -- the end

void agent_thread::driver::end_everything() {
  std::vector<std::function<void(driver&)>> posted;
  {
    std::lock_guard hold(lock_);
    if (failed_ || (agent_ != nullptr && agent_->failed()))
      why_stopped_ = agent_lost_error(link_error(errc::no_memory, "the agent ran out of memory"));
    stopping_ = stopped_ = true;
    posted.swap(posted_);
  }
  posted.clear();
  listeners_.clear();
  for (auto& each : processes_) {
    if (each.second->worker) each.second->worker->kill();
  }
  processes_.clear();  // waits for them
  if (agent_ != nullptr) {
    agent_->stop(failed_);
    while (agent_->busy()) port_->turn(base::never_ns);
    agent_.reset();
  }
  locals_.clear();
  port_->close();
}

// -- the handle

agent_thread::agent_thread(std::unique_ptr<driver> driver)
    : driver_(std::move(driver)), generation_(ports::fork_generation()) {}

agent_thread::~agent_thread() {
  // A fork has no such thread, and shares what the port polls with: it stays as it is.
  if (generation_ == ports::fork_generation()) {
    stop();
  } else {
    (void)driver_.release();
  }
}

result<std::unique_ptr<agent_thread>> agent_thread::start(agent_thread_options options) {
  BEAMLET_TRY(auto port, ports::make_uv_port());
  if (options.agent.life.empty()) options.agent.life = ports::own_life();
  if (options.agent.node == 0) options.agent.node = port->random_seed() | 1;
  std::unique_ptr<agent_thread> made(
      new agent_thread(std::make_unique<driver>(std::move(port), std::move(options))));
  auto body = [](void* user) { static_cast<driver*>(user)->run(); };
  BEAMLET_TRY(made->thread_,
              ports::thread::start({.name = "beamlet-agent"}, body, made->driver_.get()));
  return made;
}

void agent_thread::stop() {
  if (!thread_.joinable()) return;
  driver_->stop();
  thread_.join();
}

result<void> agent_thread::post(std::function<void(agent&)> what) {
  return driver_->post([what = std::move(what)](driver& on) { what(on.agent()); });
}

result<std::unique_ptr<agent_link>> agent_thread::connect(agent_messages& receiver) {
  auto ends = local_channel::make(driver_->port(), receiver);
  auto end = std::make_shared<std::unique_ptr<session_link>>(std::move(ends.agent_end));
  BEAMLET_TRY_VOID(driver_->post(
      [channel = ends.channel, end](driver& on) { on.add_local(channel, std::move(*end)); }));
  return std::move(ends.session_end);
}

result<void> agent_thread::listen(const std::string& folder, const std::string& name) {
  BEAMLET_TRY(auto made, ports::local_listener::listen(folder, name, link_limits));
  auto listener = std::make_shared<ports::local_listener>(std::move(made));
  return driver_->post([listener](driver& on) { on.add_listener(listener); });
}

result<ports::local_socket> connect_socket_to_box(const std::string& path) {
  BEAMLET_TRY(auto socket, ports::local_socket::connect(path, link_limits));
  BEAMLET_TRY(auto peer, socket.peer());
  if (peer.user != ports::current_user()) {
    return link_error(errc::permission, "another user listens at '" + path + "'");
  }
  return socket;
}

result<std::unique_ptr<agent_link>> connect_to_box(const std::string& path,
                                                   agent_messages& receiver) {
  BEAMLET_TRY(auto socket, connect_socket_to_box(path));
  BEAMLET_TRY(auto link, socket_agent_link::make(std::move(socket), receiver));
  return std::unique_ptr<agent_link>(std::move(link));
}

}  // namespace node
}  // namespace BEAMLET_ABI
}  // namespace beamlet
