"""LiteLLM in process: a Router with Redis, and what it has of the same guards. Prints `name value` lines."""

import argparse
import asyncio
import json
import os
import time

os.environ.setdefault("LITELLM_LOG", "ERROR")

import litellm  # noqa: E402
from litellm import Router  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--completions", required=True)
parser.add_argument("--redis-port", type=int, required=True)
parser.add_argument("--redis-password", default=None)
parser.add_argument("--seconds", type=int, default=8)
parser.add_argument("--concurrency", type=int, default=32)
parser.add_argument("--body", required=True)
arguments = parser.parse_args()

litellm.suppress_debug_info = True
base = arguments.completions.removesuffix("/chat/completions")
body = json.load(open(arguments.body, encoding="utf-8"))


def deployment(name, model):
    return {
        "model_name": name,
        "litellm_params": {
            "model": f"openrouter/{model}",
            "api_base": base,
            "api_key": "sk-bench",
            "rpm": 10_000_000,
            "tpm": 10_000_000_000,
        },
    }


router = None


def make_router():
    return Router(
        model_list=[deployment("first", "openai/gpt-4o-mini"), deployment("second", "anthropic/claude-3.5-haiku")],
        redis_host="127.0.0.1",
        redis_port=arguments.redis_port,
        redis_password=arguments.redis_password,
        cache_responses=True,
        routing_strategy="usage-based-routing-v2",
        enable_pre_call_checks=True,
        fallbacks=[{"first": ["second"]}],
        num_retries=2,
        allowed_fails=5,
        cooldown_time=60,
        timeout=15,
        provider_budget_config={"openrouter": {"budget_limit": 1_000_000, "time_period": "1d"}},
    )


number = 0


async def ask():
    global number
    number += 1
    messages = [*body["messages"][:-1], {"role": "user", "content": f"{body['messages'][-1]['content']} {number}"}]
    begin = time.perf_counter()
    answer = await router.acompletion(
        model="first",
        messages=messages,
        response_format=body["response_format"],
        temperature=0,
        max_tokens=600,
        user=f"user-{number % 100}",
    )
    json.loads(answer.choices[0].message.content)
    return (time.perf_counter() - begin) * 1e6


async def load(callers, seconds):
    end = time.perf_counter() + seconds
    times, failures = [], 0

    async def caller():
        nonlocal failures
        while time.perf_counter() < end:
            try:
                times.append(await ask())
            except Exception as error:
                failures += 1
                if failures == 1:
                    print("#", type(error).__name__, str(error)[:200])

    await asyncio.gather(*(caller() for _ in range(callers)))
    return sorted(times), failures


async def main():
    global router
    # It starts tasks of its own.
    router = make_router()
    await load(4, 2)
    times, failures = await load(arguments.concurrency, arguments.seconds)
    print("router_per_second", round(len(times) / arguments.seconds, 1))
    print("router_closed_p50_microseconds", round(times[len(times) // 2], 1) if times else "inf")
    print("router_failed", failures)
    times, _ = await load(1, 3)
    print("router_single_p50_microseconds", round(times[len(times) // 2], 1) if times else "inf")
    with open("/proc/self/status", encoding="ascii") as status:
        resident = next(line for line in status if line.startswith("VmRSS:"))
    print("router_resident_megabytes", round(int(resident.split()[1]) * 1024 / 1e6, 1), flush=True)
    os._exit(0)


asyncio.run(main())
