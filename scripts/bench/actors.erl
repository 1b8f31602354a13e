%% Child program of group `actors`: the same benches as Erlang processes, one JSON line on stdout.
%% Invariant: the line is printed only after the work was counted as finished; anything else ends the node with exit code 1.
-module(actors).
-behaviour(supervisor).
-export([main/1, init/1, start_crasher/1]).

main([Bench | Sizes]) ->
    logger:set_primary_config(level, none),
    try run(Bench, [list_to_integer(Size) || Size <- Sizes]) of
        Value ->
            io:format("{\"value\":~w}~n", [float(Value)]),
            halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p ~p ~p~n", [Class, Reason, Stack]),
            halt(1)
    end.

run("ping-pong", [Messages]) ->
    per_second(Messages, fun(Count) -> pass_token(2, Count) end);
run("ring-1000", [Actors, Hops]) ->
    per_second(Hops, fun(Count) -> pass_token(Actors, Count) end);
run("ask", [Asks, InFlight]) ->
    per_second(Asks, fun(Count) -> ask_often(Count, InFlight) end);
run("spawn-stop", [Actors, AtOnce]) ->
    per_second(Actors, fun(Count) -> spawn_and_stop(Count, AtOnce) end);
run("skynet-1e6", [Leaves]) ->
    skynet(10000),
    skynet(Leaves);
run("idle-memory", [Actors]) ->
    idle(Actors);
run("restart", [Restarts]) ->
    restarts(Restarts).

per_second(Count, Work) ->
    Work(Count div 10),
    Work(Count div 10),
    Start = erlang:monotonic_time(nanosecond),
    case Work(Count) of
        {taken, Nanoseconds} -> Count * 1.0e9 / Nanoseconds;
        _ -> Count * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start)
    end.

%% A token with Count hops to go; the processes tell how many messages they handled.
pass_token(Size, Count) ->
    Main = self(),
    Last = spawn_link(fun() -> receive {next, Next} -> player(Main, Next, 0) end end),
    {First, Pids} = lists:foldl(
        fun(_, {Next, All}) ->
            Pid = spawn_link(fun() -> player(Main, Next, 0) end),
            {Pid, [Pid | All]}
        end,
        {Last, [Last]},
        lists:seq(2, Size)
    ),
    Last ! {next, First},
    Start = erlang:monotonic_time(nanosecond),
    First ! Count,
    receive done -> ok end,
    Taken = erlang:monotonic_time(nanosecond) - Start,
    [Pid ! stop || Pid <- Pids],
    Count = lists:sum([receive {handled, Pid, Handled} -> Handled end || Pid <- Pids]),
    {taken, Taken}.

player(Main, Next, Handled) ->
    receive
        1 ->
            Main ! done,
            player(Main, Next, Handled + 1);
        Left when is_integer(Left) ->
            Next ! (Left - 1),
            player(Main, Next, Handled + 1);
        stop ->
            Main ! {handled, self(), Handled}
    end.

%% Each ask has a monitor and a deadline, like gen_server:call.
ask_often(Asks, InFlight) ->
    Oracle = spawn_link(fun oracle/0),
    Asks = ask_batches(Oracle, Asks div InFlight, InFlight, 0),
    unlink(Oracle),
    Oracle ! stop.

ask_batches(_, 0, _, Sum) ->
    Sum;
ask_batches(Oracle, Batches, InFlight, Sum) ->
    Asked = [ask(Oracle) || _ <- lists:seq(1, InFlight)],
    ask_batches(Oracle, Batches - 1, InFlight, Sum + lists:sum([answer(Mref) || Mref <- Asked])).

ask(Oracle) ->
    Mref = monitor(process, Oracle, [{alias, reply_demonitor}]),
    Oracle ! {ask, Mref, 1},
    Mref.

answer(Mref) ->
    receive
        {Mref, Value} -> Value;
        {'DOWN', Mref, _, _, Reason} -> error(Reason)
    after 5000 -> error(timeout)
    end.

oracle() ->
    receive
        {ask, Alias, Value} ->
            Alias ! {Alias, Value},
            oracle();
        stop ->
            ok
    end.

spawn_and_stop(Actors, AtOnce) ->
    Actors = spawn_batches(Actors div AtOnce, AtOnce, 0).

spawn_batches(0, _, Stopped) ->
    Stopped;
spawn_batches(Batches, AtOnce, Stopped) ->
    Started = [begin
        {Pid, Mref} = spawn_monitor(fun() -> receive stop -> ok end end),
        Pid ! stop,
        Mref
    end || _ <- lists:seq(1, AtOnce)],
    Down = [receive {'DOWN', Mref, _, _, normal} -> 1 end || Mref <- Started],
    spawn_batches(Batches - 1, AtOnce, Stopped + lists:sum(Down)).

%% Seconds until the sum is there; every process is still alive then.
skynet(Leaves) ->
    Before = erlang:system_info(process_count),
    Main = self(),
    Start = erlang:monotonic_time(nanosecond),
    Root = spawn(fun() -> node_of(Main, 0, Leaves) end),
    Sum = receive {sum, Root, Value} -> Value end,
    Seconds = (erlang:monotonic_time(nanosecond) - Start) / 1.0e9,
    Sum = Leaves * (Leaves - 1) div 2,
    Alive = erlang:system_info(process_count) - Before,
    Alive = actors_of(Leaves),
    exit(Root, kill),
    await_count(Before),
    Seconds.

await_count(Count) ->
    case erlang:system_info(process_count) of
        Now when Now =< Count -> ok;
        _ -> timer:sleep(1), await_count(Count)
    end.

actors_of(1) -> 1;
actors_of(Leaves) -> Leaves + actors_of(Leaves div 10).

node_of(Parent, First, 1) ->
    Parent ! {sum, self(), First},
    stay();
node_of(Parent, First, Size) ->
    Self = self(),
    Each = Size div 10,
    Below = [spawn_link(fun() -> node_of(Self, First + I * Each, Each) end) || I <- lists:seq(0, 9)],
    Parent ! {sum, Self, lists:sum([receive {sum, Pid, Value} -> Value end || Pid <- Below])},
    stay().

stay() ->
    receive stop -> ok end.

%% Bytes that the node says each process holds, after its one message.
idle(Actors) ->
    Main = self(),
    Pids = [spawn_link(fun() -> idle_loop(Main, 0) end) || _ <- lists:seq(1, Actors)],
    [Pid ! {add, 1} || Pid <- Pids],
    [receive {handled, Pid} -> ok end || Pid <- Pids],
    Sizes = [element(2, process_info(Pid, memory)) || Pid <- Pids],
    Actors = length(Sizes),
    lists:sum(Sizes) / Actors.

idle_loop(Main, State) ->
    receive
        {add, Value} ->
            Main ! {handled, self()},
            idle_loop(Main, State + Value)
    end.

%% Median of microseconds from an exit to the next start, under a supervisor.
restarts(Count) ->
    {ok, _} = supervisor:start_link(?MODULE, self()),
    receive {started, First, _} -> ok end,
    WarmUp = Count div 10,
    Taken = crash(First, WarmUp + Count, []),
    Sorted = lists:sort(lists:sublist(Taken, Count)),
    lists:nth(Count div 2 + 1, Sorted).

%% Latest first.
crash(_, 0, Taken) ->
    Taken;
crash(Pid, Left, Taken) ->
    Pid ! crash,
    Thrown = receive {thrown, Pid, At} -> At end,
    receive {started, Next, Started} -> crash(Next, Left - 1, [(Started - Thrown) / 1000 | Taken]) end.

init(Main) ->
    Flags = #{strategy => one_for_one, intensity => 1000000, period => 1},
    {ok, {Flags, [#{id => crasher, start => {?MODULE, start_crasher, [Main]}}]}}.

start_crasher(Main) ->
    {ok, proc_lib:spawn_link(fun() ->
        Main ! {started, self(), erlang:monotonic_time(nanosecond)},
        receive
            crash ->
                Main ! {thrown, self(), erlang:monotonic_time(nanosecond)},
                exit(as_asked)
        end
    end)}.
