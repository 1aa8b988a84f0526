"""Writes crates/learn/src/clv/oracle.tsv: the papers' formulas, hypergeometric functions and all, at 60 digits (mpmath)."""
from mpmath import mp, mpf, hyp2f1, loggamma, log, exp, quad, inf
mp.dps = 60

def bg(th, x, tx, T, t):
    r, al, a, b = th
    A3 = log(1/(al+T))*(r+x)
    L = exp(A3)
    gone = a/(b+x-1)*((al+T)/(al+tx))**(r+x) if x > 0 else mpf(0)
    ll = loggamma(r+x)-loggamma(r)+r*log(al)+loggamma(a+b)+loggamma(b+x)-loggamma(b)-loggamma(a+b+x)+A3+log(1+gone)
    alive = 1/(1+gone)
    z = t/(al+T+t)
    e = (a+b+x-1)/(a-1)*(1-((al+T)/(al+T+t))**(r+x)*hyp2f1(r+x, b+x, a+b+x-1, z))*alive
    return ll, alive, e

def pareto(th, x, tx, T, t):
    r, al, s, be = th
    def F(y):
        if al >= be:
            return hyp2f1(r+s+x, s+1, r+s+x+1, (al-be)/(al+y))/(al+y)**(r+s+x)
        return hyp2f1(r+s+x, r+x, r+s+x+1, (be-al)/(be+y))/(be+y)**(r+s+x)
    A0 = F(tx)-F(T)
    there = (al+T)**-(r+x)*(be+T)**-s
    tot = there + s/(r+s+x)*A0
    ll = loggamma(r+x)-loggamma(r)+r*log(al)+s*log(be)+log(tot)
    alive = there/tot
    e = (r+x)*(be+T)/((al+T)*(s-1))*(1-((be+T)/(be+T+t))**(s-1))*alive
    return ll, alive, e

H = [(0,0,'38.86'),(0,0,'0'),(1,'1.71','38.86'),(2,'30.43','38.86'),(7,'29.43','38.86'),(26,'30','31'),(3,'0.1','400'),(120,'38.8','38.86'),(120,'10','38.86'),(0,0,'2000')]
P = {'bg': (bg, [('.243','4.414','.793','2.426'),('2.1','60','.05','.7'),('.1','.3','12','55'),('5','300','1.3','.2'),('.6','8','.3','.45')]),
     'pareto': (pareto, [('.553','10.578','.606','11.669'),('2.1','60','.05','.7'),('.1','.3','12','550'),('1.7','1000','2.5','.5'),('.4','.05','.8','300')])}
out = open('crates/learn/src/clv/oracle.tsv','w')
out.write('# model, four parameters, frequency, recency, age, time, log-likelihood, probability alive, expected purchases: clv_oracle.py\n')
for name, (f, ps) in P.items():
    for th in ps:
        for (x, tx, T) in H:
            for t in ('4','39','520'):
                v = f([mpf(p) for p in th], mpf(x), mpf(tx), mpf(T), mpf(t))
                out.write('\t'.join([name, *th, str(x), str(tx), T, t, *[mp.nstr(k.real, 16, min_fixed=0, max_fixed=0) for k in v]])+'\n')
