"""PyTorch's eager mode on the same card, in single precision (TF32 off) and in half: the far mark. Prints one JSON object.

    python3 torch.py '{"sizes": [1024], "gpt": {"vocab": 50257, "width": 768, "heads": 12, "layers": 12, "context": 1024, "batch": 8}}'
"""

import json
import sys
import time

try:
    import torch
except ImportError:
    print(json.dumps({"error": "torch is not installed"}))
    sys.exit(0)

wanted = json.loads(sys.argv[1])
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def finish():
    if device == "cuda":
        torch.cuda.synchronize()


def timed(run, seconds):
    for _ in range(3):
        run()
    finish()
    samples = []
    for _ in range(3):
        begun, count = time.perf_counter(), 0
        while True:
            run()
            count += 1
            if count % 4 == 0 or device == "cpu":
                finish()
                if time.perf_counter() - begun > seconds:
                    break
        samples.append((time.perf_counter() - begun) / count * 1000)
    return sorted(samples)[1]


out = {"version": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
seconds = wanted["milliseconds"] / 1000
out["products"] = {}
for n in wanted["sizes"]:
    for name, dtype in {"f32": torch.float32, "f16": torch.float16}.items():
        if name == "f16" and device == "cpu":
            continue
        a = torch.randn(n, n, device=device, dtype=dtype)
        b = torch.randn(n, n, device=device, dtype=dtype)
        out["products"][f"{name} {n}"] = timed(lambda: a @ b, seconds)


class Layer(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attn, self.proj = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.attn(self.ln_1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        z = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(z.transpose(1, 2).reshape(b, t, d))
        return x + self.down(torch.nn.functional.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class GPT2(torch.nn.Module):
    def __init__(self, vocab, width, heads, layers, context):
        super().__init__()
        self.wte, self.wpe = torch.nn.Embedding(vocab, width), torch.nn.Embedding(context, width)
        self.h = torch.nn.Sequential(*[Layer(width, heads) for _ in range(layers)])
        self.ln_f = torch.nn.LayerNorm(width)

    def forward(self, token):
        x = self.wte(token) + self.wpe.weight[: token.shape[1]]
        return self.ln_f(self.h(x)) @ self.wte.weight.T


gpt = wanted["gpt"]
try:
    batch = gpt.pop("batch")
    net = GPT2(**gpt).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-4)
    token = torch.randint(gpt["vocab"], (batch, gpt["context"] + 1), device=device)

    def step():
        adam.zero_grad()
        logits = net(token[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), token[:, 1:].flatten()).backward()
        adam.step()

    out["step"] = timed(step, seconds)
except Exception as error:  # out of memory, say: the rest stands
    out["step error"] = str(error).splitlines()[0]
print(json.dumps(out))
